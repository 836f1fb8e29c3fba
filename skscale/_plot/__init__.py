"""Displays of what was learned, from fitted attributes, with matplotlib."""
