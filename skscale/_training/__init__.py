"""From arrays, a spec and configs to trained networks."""
