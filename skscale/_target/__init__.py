"""From y to what the network learns."""
