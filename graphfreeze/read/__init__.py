"""From disk to a model: find out what a path is, then read it."""

from graphfreeze.read.locate import load

__all__ = ["load"]
