"""Experiments: who is in which arm, who was exposed, and what came of it."""
