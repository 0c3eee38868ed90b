"""The rules of a community: a file people write, checked with every fault shown."""
