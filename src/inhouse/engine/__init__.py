"""Run work here or on Ray."""
