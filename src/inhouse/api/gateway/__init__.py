"""The role `gateway`: calls that are passed on, and nothing else, in a small process."""
