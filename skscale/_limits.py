"""Numbers beyond which arithmetic would overflow."""

PERIODIC_LIMIT = 1e30
"""Scaled features are clipped to this size before they are embedded: their waves stay finite."""
