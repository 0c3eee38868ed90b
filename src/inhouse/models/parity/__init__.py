"""Whether a model trained here is as good as the rented one, and by what margin it may be worse."""
