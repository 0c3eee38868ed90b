"""The causal model: a history as a sequence, trained in batch, on files or for the feed."""
