"""The queue of cases that people decide."""
