"""What is known of a post and what follows from it: rows of evidence, decisions, the board."""
