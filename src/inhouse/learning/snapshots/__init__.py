"""Trained models as folders of files: whole or absent, and checked when read."""
