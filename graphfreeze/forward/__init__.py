"""Rewrite the forward graph so that gradients end where the selection says."""
