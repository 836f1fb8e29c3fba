"""A fitted model, or its options, for Keras, ONNX, scikit-learn and scikeras."""
