"""Whom to ask twice: bands of uncertainty with a promise, learned and put into a route."""
