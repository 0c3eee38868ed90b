"""A task's way from rented to owned, as people, commands and the worker take its steps."""
