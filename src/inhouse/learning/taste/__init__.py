"""The taste model: as arrays for serving, in torch for training, and its table of rows."""
