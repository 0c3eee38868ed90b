"""Operator rules: what is pinned, boosted or blocked, for whom and how long."""
