"""What speaks OpenAI's format."""
