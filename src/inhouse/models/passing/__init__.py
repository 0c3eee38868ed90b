"""Calls of others passed on: let in, sent, told whole or in pieces, and counted."""
