"""Sequences of many people: read, packed, cut in time, and where id parts start from them."""
