"""The past and another policy: what it would change, and how posts of before catch up with it."""
