"""From rows and weights to an affine map for each feature. NumPy alone."""
