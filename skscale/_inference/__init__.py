"""From a spec and weights to outputs and gradients. NumPy, but for layers of the user's own."""
