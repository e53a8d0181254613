"""Write what was made: whole, or not at all."""
