"""Histories and counters: from the log to arrays."""
