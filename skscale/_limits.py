"""Numbers beyond which arithmetic would overflow."""

import numpy as np

FLOAT32_MAX = float(np.finfo(np.float32).max)
"""Rates, penalties and other numbers of a training are at most this: it may run in float32."""

PERIODIC_LIMIT = 1e30
"""Scaled features are clipped to this size before they are embedded: their waves stay finite."""
