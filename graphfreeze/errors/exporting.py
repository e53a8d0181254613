"""Say why a model cannot be exported as it was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphfreeze.errors.base import GraphfreezeError, PathLike, joined, listed, with_hint


class ExportError(GraphfreezeError):
    """Say why a model cannot be exported as it was asked for."""

    @classmethod
    def unknown_tensor(
        cls, name: str, names: Iterable[str], candidates: Iterable[str] = (), *, role: str
    ) -> ExportError:
        """Name a tensor that the model does not have, or that training alone had.

        ``candidates`` may be meant, ``role`` is that of an input or an output."""
        found = listed(list(candidates)) or "none"
        hint = with_hint(name.partition(":")[0], names, f"candidates for {role}s: {found}")
        return cls(f"the model to be exported has no tensor {name!r}{hint}")

    @classmethod
    def broken_signature(cls, key: str, tensor: str) -> ExportError:
        """Name a signature of a tensor that the graph does not have."""
        return cls(
            f"signature {key!r} names {tensor!r}, which the graph does not have; take another "
            "with --signature, or name outputs with --output, for --format frozen-pb"
        )

    @classmethod
    def named_twice(cls, name: str, tensors: Sequence[str]) -> ExportError:
        """Name what two tensors of a signature would be called."""
        return cls(f"{' and '.join(tensors)} would both be {name!r}; write NAME=TENSOR for one")

    @classmethod
    def no_outputs(cls, candidates: Sequence[str]) -> ExportError:
        """Tell that nothing says what the outputs are, and what they may be."""
        found = listed(candidates) if candidates else "nothing that inputs lead to is left over"
        return cls(
            f"no signature says what the outputs of the model are; name them with --output; "
            f"candidates: {found}"
        )

    @classmethod
    def unfed(cls, inputs: Sequence[str], outputs: Sequence[str]) -> ExportError:
        """Name placeholders that the outputs need and that are no inputs."""
        one = len(inputs) == 1
        return cls(
            f"{listed(outputs, most=3)} {'needs' if len(outputs) == 1 else 'need'} "
            f"{listed(inputs)}, {'which is no input' if one else 'which are no inputs'}; "
            f"name {'it' if one else 'them'} with --input too"
        )

    @classmethod
    def no_such_signature(cls, name: str, known: Iterable[str]) -> ExportError:
        """Name a signature that the model does not have."""
        known = list(known)
        hint = with_hint(name, known, f"it has: {joined(known) or 'none'}")
        return cls(f"the model has no signature {name!r}{hint}")

    @classmethod
    def no_such_step(cls, step: str, folder: PathLike, known: Sequence[str]) -> ExportError:
        """Name a step that no checkpoint in a folder is of, and those that are there."""
        return cls(
            f"{folder}: no checkpoint of step {step}; "
            f"steps that are there: {listed(known) if known else 'none'}; or give its prefix"
        )

    @classmethod
    def other_dest(cls, dest: PathLike, form: str, wanted: str) -> ExportError:
        """Name a place that does not fit the format that was asked for."""
        return cls(f"{dest}: --format {form} writes {wanted}; name DEST so")

    @classmethod
    def no_such_format(cls, form: str, known: Iterable[str]) -> ExportError:
        """Name a format that nobody writes."""
        return cls(f"{form!r} is no format of an export; choose from {joined(known)}")

    @classmethod
    def no_such_kind(cls, kind: str, known: Iterable[str]) -> ExportError:
        """Name a kind of variables that is none to choose."""
        return cls(f"{kind!r} is no kind of variables; choose from {joined(known)}")

    @classmethod
    def no_values(cls, source: PathLike) -> ExportError:
        """Name a model with variables and without a checkpoint."""
        return cls(
            f"{source}: no checkpoint with values of its variables; give one with --checkpoint, "
            "or export the graph alone with --format graph"
        )

    @classmethod
    def nothing_to_save(cls, source: PathLike) -> ExportError:
        """Name a model without variables, of which there is no checkpoint."""
        return cls(
            f"{source}: has no variables to put into a checkpoint; "
            "export it with --format savedmodel or graph"
        )

    @classmethod
    def too_large(cls, size: int) -> ExportError:
        """Tell that values do not fit into one file of the format, and their size in bytes."""
        return cls(
            f"{size:,} bytes of values do not fit into a frozen .pb, which ends at 2 GB; "
            "use --format savedmodel, whose variables stay in files of their own"
        )

    @classmethod
    def missing_ops(cls, ops: Sequence[str], *, version: str) -> ExportError:
        """Name the ops, with what brings them, of what is kept and that TensorFlow lacks."""
        return cls(
            f"TensorFlow {version} lacks ops that the outputs need: {joined(ops)}; load them with "
            "--op-library FILE.so, or use --format savedmodel"
        )

    @classmethod
    def not_frozen(cls, reason: str) -> ExportError:
        """Pass on why TensorFlow cannot make constants of the variables."""
        return cls(
            f"TensorFlow cannot make constants of the variables ({reason.strip()[:300]}); "
            "use --format savedmodel"
        )
