"""What speaks the format of the Perspective API."""
