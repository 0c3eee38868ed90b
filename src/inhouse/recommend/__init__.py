"""The feed: sources, filters, rank, arrange."""
