"""What was asked and what it cost: rows and how they are written, prices, bill, past traffic."""
