"""Prove that frozen is frozen, by reading a graph and by running it; change nothing."""
