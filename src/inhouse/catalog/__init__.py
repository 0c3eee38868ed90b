"""Items, creators and users: what can be shown, and to whom."""
