"""Signals, policy, verdicts, review."""
