"""The append-only log, its consumers, and the pages that were served."""
