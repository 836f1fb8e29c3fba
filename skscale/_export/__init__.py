"""A fitted model, or its options, for Keras, scikit-learn and scikeras."""
