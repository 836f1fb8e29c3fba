"""A fitted model, or its options, for Keras and scikeras."""
