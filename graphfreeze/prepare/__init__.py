"""Make a model ready to be frozen: what it lacks comes, what only served the past goes."""
