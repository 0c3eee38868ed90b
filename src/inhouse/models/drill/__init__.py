"""Rehearsals of a vendor's absence: cut off, watched, graded, kept."""
