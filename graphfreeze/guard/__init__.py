"""Make the promise: nothing the train_op runs writes a frozen value."""
