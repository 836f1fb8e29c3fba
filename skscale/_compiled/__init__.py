"""What runs inside the one compiled program. TensorFlow."""
