"""Metrics over the log, and experiments."""
