"""The nouns: what a saved TensorFlow 1 model consists of."""
