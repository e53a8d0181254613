"""Feed what a model wants to be fed with."""
