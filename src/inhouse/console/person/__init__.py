"""One person: what they did, what they were shown, and why."""
