"""Tell why a variable learns, or does not."""
