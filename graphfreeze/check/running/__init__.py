"""Run the original and the bundle, and compare bits."""
