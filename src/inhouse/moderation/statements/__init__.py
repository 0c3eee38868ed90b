"""Statements of reasons (Art. 17 DSA): what is restricted, why, and how to object."""
