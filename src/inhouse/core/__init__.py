"""Ids, clock, errors, settings, randomness and safe files: what every package may use."""
