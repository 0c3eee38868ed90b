"""Feeds of one process: served from memory, beside moderation's decisions, less under load."""
