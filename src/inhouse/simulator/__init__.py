"""A community with hidden truth that talks to the server over HTTP."""
