"""Say why a training graph cannot be patched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphfreeze.errors.base import GraphfreezeError, listed, with_hint


class PatchError(GraphfreezeError):
    """Say why a training graph cannot be patched."""

    @classmethod
    def not_for_patch(cls, option: str, reason: str) -> PatchError:
        """Name an option that only ``freeze`` can serve, and why."""
        flag = f"--{option.replace('_', '-')}"
        return cls(f"{flag}: {reason}; use 'graphfreeze freeze', which builds a train_op anew")

    @classmethod
    def nothing_chosen(cls) -> PatchError:
        """Refuse a selection that names nothing."""
        return cls(
            "nothing is chosen, so there is nothing to patch; "
            "name what to freeze with --freeze, --train-only or --freeze-rows"
        )

    @classmethod
    def mask_too_large(cls, variable: str, size: int, most: int) -> PatchError:
        """Name a variable whose mask of single elements no constant of the graph can hold."""
        return cls(
            f"the mask of single elements of {variable!r} has {size:,} bytes, and a patch, which "
            f"adds no variables, holds masks of at most {most:,} in the graph; "
            "choose whole rows or columns, or use 'graphfreeze freeze'"
        )

    @classmethod
    def needs_pin(cls, variable: str, node: str, *, op: str) -> PatchError:
        """Name a writer of a partly frozen variable whose frozen entries only a pin would keep."""
        return cls(
            f"node {node!r} writes {variable!r} with op {op}, which cannot be kept to some "
            "entries; only a pin would put them back, a new variable, and a patch adds none; "
            f"freeze {variable!r} whole, or rebuild with 'freeze'"
        )

    @classmethod
    def nothing_written(cls, variables: Sequence[str]) -> PatchError:
        """Name frozen variables that no training step of a graph writes."""
        return cls(
            f"no step in this graph writes {listed(variables)}, so there is nothing to patch; "
            "'graphfreeze freeze' builds a train_op for a graph that has none"
        )

    @classmethod
    def not_written_by(cls, steps: Sequence[str], variables: Sequence[str]) -> PatchError:
        """Name train ops that write nothing of what is frozen."""
        return cls(
            f"{listed(steps)} writes nothing of {listed(variables)}; "
            "name another --train-op, or leave it out to patch all of them"
        )

    @classmethod
    def unknown_train_op(cls, name: str, names: Iterable[str], *, own: Sequence[str]) -> PatchError:
        """Name a train op that the graph does not have; ``own`` are those that it has."""
        told = f"its training steps are {listed(own)}" if own else "it has no training step"
        return cls(f"the graph has no op {name!r}{with_hint(name, names, told)}")

    @classmethod
    def read_only(cls, name: str, *, own: Sequence[str]) -> PatchError:
        """Name an op that writes no variable, and so is no train op; ``own`` are those."""
        told = f"its training steps are {listed(own)}" if own else "the graph has no training step"
        return cls(f"{name!r} writes no variable; {told}")
