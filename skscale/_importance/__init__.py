"""From trained networks to what each feature matters."""
