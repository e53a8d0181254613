"""Say why a check cannot be made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphfreeze.errors.base import (
    GraphfreezeError,
    PathLike,
    joined,
    listed,
    with_hint,
    with_scopes,
)


class CheckError(GraphfreezeError):
    """Say why a check cannot be made, or what it found in a model that is being built."""

    @classmethod
    def no_record(cls, path: PathLike) -> CheckError:
        """Refuse a model without the record of a freeze."""
        return cls(
            f"{path}: no graphfreeze.json here, so nothing says what is frozen; "
            "give a bundle, a folder that 'graphfreeze freeze' or 'patch' wrote, or a record with "
            "--record"
        )

    @classmethod
    def bad_record(cls, path: PathLike, reason: str) -> CheckError:
        """Refuse a file that is no record of a freeze."""
        return cls(
            f"{path}: no record of a freeze ({reason}); "
            "give the graphfreeze.json of a bundle that 'graphfreeze freeze' wrote"
        )

    @classmethod
    def unsafe_step(cls, breaches: Sequence[str]) -> CheckError:
        """Refuse a train_op that is not proved to leave frozen values alone."""
        more = f" (and {len(breaches) - 1:,} more)" if len(breaches) > 1 else ""
        return cls(f"the train_op breaks the promise: {breaches[0]}{more}; report this as a bug")

    @classmethod
    def no_checkpoint(cls, path: PathLike) -> CheckError:
        """Refuse a path that no checkpoint is at."""
        return cls(
            f"{path}: no checkpoint; name its prefix (model.ckpt-7 of model.ckpt-7.index), "
            "or a folder with a 'checkpoint' file"
        )

    @classmethod
    def missing_keys(cls, prefix: PathLike, names: Sequence[str]) -> CheckError:
        """Refuse a checkpoint that lacks what a record says is frozen."""
        return cls(
            f"{prefix}: the checkpoint lacks {listed(names, most=3)}, which the record says is "
            "frozen; is it of another model, or saved under other names?"
        )

    @classmethod
    def unknown_variable(cls, name: str, names: Iterable[str]) -> CheckError:
        """Name a variable that the model does not have, and the nearest scopes and variables."""
        hint = with_hint(name, with_scopes(names), "list names with 'graphfreeze show'")
        return cls(f"the model has no variable {name!r}{hint}")

    @classmethod
    def several_variables(cls, name: str, names: Sequence[str]) -> CheckError:
        """Name the variables of a scope, or of a partitioned one, where a single one is asked."""
        return cls(
            f"{name!r} is no variable and holds {len(names):,}; name one: {listed(names, most=3)}"
        )

    @classmethod
    def unknown_train_op(cls, name: str, names: Iterable[str], *, own: Sequence[str]) -> CheckError:
        """Name an op that the graph does not have, and the nearest ones or its ``own``."""
        told = f"it lists {listed(own, most=3)}" if own else "it lists none"
        hint = with_hint(name, names, told)
        return cls(f"the graph has no op {name!r} to take as the train_op{hint}")

    @classmethod
    def no_bundle(cls, path: PathLike) -> CheckError:
        """Refuse a record where a bundle is asked for: its graph or its checkpoint is not there."""
        return cls(f"{path}: a bundle has a checkpoint to begin with, and there is none here")

    @classmethod
    def swapped(cls, original: PathLike, out: PathLike) -> CheckError:
        """Refuse a bundle in the place of the model."""
        return cls(
            f"{original} is a bundle and {out} is none; give the model first, then the bundle: "
            "graphfreeze verify ORIGINAL OUT"
        )

    @classmethod
    def other_model(cls, out: PathLike, source: str, original: PathLike) -> CheckError:
        """Refuse to compare a bundle with a model that it was not made from."""
        return cls(
            f"{out} was made from another model than {original}: its record names {source}, with "
            "other bytes; give that one"
        )

    @classmethod
    def unsafe_ops(cls, path: PathLike, ops: Sequence[str]) -> CheckError:
        """Name nodes that reach outside, each with its op and what that does."""
        return cls(
            f"{path}: not run, for ops reach outside: {listed(ops, most=2)}; "
            "if you trust the model, give --allow-unsafe-ops"
        )

    @classmethod
    def needs_feed(cls, name: str, dtype: str) -> CheckError:
        """Name a placeholder for which no values can be made up."""
        return cls(
            f"nothing tells what to feed {name!r} ({dtype}) with; "
            f"give it with --feed {name}=@FILE.npy"
        )

    @classmethod
    def needs_queue(cls, node: str) -> CheckError:
        """Name an op that would wait for ever: no queue runner is started."""
        return cls(
            f"{node!r} takes from a queue, and none is filled here; give what it returns with "
            f"--feed {node}:0=@FILE.npy"
        )

    @classmethod
    def bad_feed(cls, text: str, reason: str) -> CheckError:
        """Name what was given as a feed and cannot be one, and why."""
        return cls(f"--feed {text}: {reason}")

    @classmethod
    def large_feed(cls, name: str, shape: Sequence[int]) -> CheckError:
        """Name a tensor whose feed does not fit into memory."""
        return cls(
            f"{name}: no array of shape {list(shape)} can be made to feed it; give a smaller "
            f"--batch, or --feed {name}=@FILE.npy"
        )

    @classmethod
    def unknown_feed(cls, name: str, names: Iterable[str]) -> CheckError:
        """Name a tensor to feed that no graph has, and the placeholders nearest to it."""
        known = list(names)
        offered = f"placeholders are {listed(known)}" if known else "there is no placeholder"
        return cls(f"--feed: no tensor {name!r} in the graph{with_hint(name, known, offered)}")

    @classmethod
    def missing_ops(cls, ops: Sequence[str], *, path: PathLike, version: str) -> CheckError:
        """Name every op of a graph that this TensorFlow lacks."""
        return cls(
            f"{path}: TensorFlow {version} lacks ops of this graph: {joined(ops)}; "
            "load them with --op-library FILE.so; only --record FILE checks without running it"
        )

    @classmethod
    def import_refused(cls, path: PathLike, reason: str, *, version: str) -> CheckError:
        """Pass on why TensorFlow does not take a graph."""
        return cls(f"{path}: TensorFlow {version} refuses the graph: {reason.strip()[:400]}")

    @classmethod
    def run_failed(cls, path: PathLike, reason: str, feeds: Iterable[str]) -> CheckError:
        """Pass on why a graph cannot be run, and what was fed."""
        fed = listed(sorted(feeds), most=6)
        hint = f"; fed were {fed}; give other values with --feed NAME=VALUES" if fed else ""
        return cls(f"{path}: TensorFlow cannot run it: {reason.strip()[:400]}{hint}")

    @classmethod
    def no_saver(cls, path: PathLike) -> CheckError:
        """Refuse a bundle whose graph has no saver to restore its checkpoint with."""
        return cls(f"{path}: the graph has no saver; write it as a bundle with graphfreeze freeze")

    @classmethod
    def no_value(cls, path: PathLike, names: Sequence[str]) -> CheckError:
        """Name variables that no checkpoint holds and that nothing initializes."""
        return cls(
            f"{path}: no checkpoint holds a value of {listed(names)}, and the graph does not say "
            "how to initialize it; name the values with --checkpoint"
        )
