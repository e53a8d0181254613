"""Decide which parts of the model are frozen: patterns, rows and columns become a selection."""
