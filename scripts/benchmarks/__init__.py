"""What graphfreeze costs, measured against TensorFlow alone."""
