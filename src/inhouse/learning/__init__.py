"""Examples, the taste model, trainers and snapshots."""
