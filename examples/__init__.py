"""Whole programs for you to read, run and copy from."""
