"""Examples: what was shown or wanted as it looked then, gathered, encoded and remembered."""
