"""Teaching models that others began: encoders of texts, and models that write."""
