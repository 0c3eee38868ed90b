"""The learner: lessons in the log's order, a gate, and its own checkpoint."""
