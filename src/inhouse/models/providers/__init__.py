"""Whoever answers: vendors over HTTP in their dialects, and models of one's own in process."""
