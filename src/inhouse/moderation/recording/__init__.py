"""Decisions written down: with all that is owed for them, in one transaction, and audited."""
