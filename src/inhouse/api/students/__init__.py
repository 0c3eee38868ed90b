"""The role `students`: models trained here answer in OpenAI's format, for the gateway alone."""
