"""What a text shows before any model reads it: terms, links, personal data, disguises."""
