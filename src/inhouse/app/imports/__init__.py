"""Bring what an app has already: items, users and events from files, resumable and repeatable."""
