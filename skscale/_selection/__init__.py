"""Folds, and the choice of the strength on held-out rows."""
