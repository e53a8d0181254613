"""Tell what a model holds, and what a freeze did."""
