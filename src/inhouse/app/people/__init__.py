"""What somebody may ask about themselves and others: controls, threads, a copy, to be forgotten."""
