"""Show from the files alone that nothing a step runs changes a frozen value."""
