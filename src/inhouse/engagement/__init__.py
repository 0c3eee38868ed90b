"""Whether people come back: metrics over the log, and experiments."""
