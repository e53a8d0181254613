"""What an edit is, a model seen through its edits, and the runner of passes."""
