"""Build the train_op over the variables that are left, and take it over as edits."""
