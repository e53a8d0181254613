"""Say why a check cannot be made."""

from __future__ import annotations

from graphfreeze.errors.base import GraphfreezeError, PathLike


class CheckError(GraphfreezeError):
    """Say why a check cannot be made, or what it found in a model that is being built."""

    @classmethod
    def no_record(cls, path: PathLike) -> CheckError:
        """Refuse a model without the record of a freeze."""
        return cls(
            f"{path}: no graphfreeze.json here, so nothing says what is frozen; "
            "give a bundle that 'graphfreeze freeze' wrote, or a record with --record"
        )
