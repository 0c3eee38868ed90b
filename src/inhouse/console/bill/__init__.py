"""What AI judgements cost, and how much depends on whom."""
