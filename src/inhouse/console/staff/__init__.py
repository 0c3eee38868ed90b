"""The page `/staff`: who works here, and as what."""
