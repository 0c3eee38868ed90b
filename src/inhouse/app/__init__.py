"""The only place that builds objects from settings."""
