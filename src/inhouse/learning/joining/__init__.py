"""From the log to examples: read in stretches, pages replayed, joined with what came of them."""
