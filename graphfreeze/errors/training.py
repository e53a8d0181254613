"""Say why no train_op can be built."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphfreeze.errors.base import GraphfreezeError, joined, listed, with_hint


class TrainError(GraphfreezeError):
    """Say why no train_op can be built."""

    @classmethod
    def no_loss(cls, candidates: Sequence[str] = ()) -> TrainError:
        """Refuse to train a graph whose ``losses`` collection is empty, and list what may be it."""
        offered = f"; it may be {listed(candidates)}" if candidates else ""
        return cls(
            "the graph's collection 'losses' is empty; name the tensor with --loss, "
            f"or use --no-train-op{offered}"
        )

    @classmethod
    def doubtful_loss(cls, candidates: Sequence[str]) -> TrainError:
        """Name all tensors that could be the loss."""
        return cls(
            f"{len(candidates)} tensors could be the loss: {joined(candidates)}; "
            "choose with --loss, or sum them all with '--loss total'"
        )

    @classmethod
    def second_train_op(cls, name: str | None) -> TrainError:
        """Refuse a model that was given a train_op before."""
        return cls(f"the model has the train_op {name!r} already; freeze the original once more")

    @classmethod
    def loss_not_floating(cls, loss: str, *, dtype: str, op: str) -> TrainError:
        """Name a loss tensor that can have no gradient, by its type."""
        return cls(f"{loss!r} (op {op}, {dtype}) is no floating tensor; choose another --loss")

    @classmethod
    def unknown_argument(cls, optimizer: str, name: str, known: Sequence[str]) -> TrainError:
        """Name an argument that an optimizer does not take."""
        hint = with_hint(name, known, f"choose from {joined(known)}")
        return cls(f"optimizer {optimizer!r} takes no argument {name!r}{hint}")

    @classmethod
    def no_learning_rate(cls, optimizer: str) -> TrainError:
        """Refuse an optimizer that has no learning rate of its own."""
        return cls(f"optimizer {optimizer!r} needs a learning rate; give one with --learning-rate")

    @classmethod
    def bad_learning_rate(cls, rate: float) -> TrainError:
        """Refuse a learning rate with which nothing is learnt."""
        return cls(f"learning rate {rate:g} is no positive number; give one as in 0.001")

    @classmethod
    def old_runtime(cls, version: str, *, needed: str) -> TrainError:
        """Name a TensorFlow that is too old."""
        return cls(f"TensorFlow {version} is too old; install {needed} or later")

    @classmethod
    def import_refused(cls, reason: str, *, version: str) -> TrainError:
        """Pass on why TensorFlow does not take the graph."""
        return cls(
            f"TensorFlow {version} refuses to import the graph: {reason.strip()[:400]}; "
            "use --no-train-op to rewrite it all the same"
        )

    @classmethod
    def unknown_loss(cls, loss: str, names: Iterable[str]) -> TrainError:
        """Name a loss tensor that the graph does not have."""
        hint = with_hint(loss, names, "list names with 'graphfreeze show'")
        return cls(f"the graph has no tensor {loss!r} to take as the loss{hint}")

    @classmethod
    def nothing_to_train(cls, loss: str) -> TrainError:
        """Name a loss from which no gradient reaches a trainable variable."""
        return cls(f"loss {loss!r} reaches no trainable variable; choose --loss or freeze less")

    @classmethod
    def unknown_optimizer(cls, name: str, known: Iterable[str]) -> TrainError:
        """Name an optimizer that does not exist, and the nearest ones."""
        offered = sorted(known)
        return cls(
            f"no optimizer {name!r}{with_hint(name, offered, f'choose from {joined(offered)}')}"
        )

    @classmethod
    def missing_ops(cls, ops: Iterable[str], *, version: str) -> TrainError:
        """Name every op of the graph that this TensorFlow lacks."""
        return cls(
            f"TensorFlow {version} lacks ops of this graph: {joined(sorted(set(ops)))}; "
            "use a version that has them, or --no-train-op"
        )

    @classmethod
    def no_gradient(cls, node: str, *, op: str) -> TrainError:
        """Name an op on the way from the loss to a variable that has no gradient."""
        return cls(
            f"node {node!r} (op {op}) has no gradient; choose another --loss, or stop it before "
            f"with --stop-gradient {node}"
        )

    @classmethod
    def bad_global_step(cls, reason: str) -> TrainError:
        """Name what stands in the place of the global step and cannot count."""
        return cls(
            f"the graph's 'global_step' cannot count the steps ({reason.strip()[:300]}); "
            "it has to be an integer variable, or use --no-train-op"
        )

    @classmethod
    def build_refused(cls, reason: str, *, version: str) -> TrainError:
        """Pass on why TensorFlow, or the optimizer, does not build the train_op."""
        return cls(
            f"TensorFlow {version} refuses to build the train_op: {reason.strip()[:400]}; "
            "choose another --loss or --optimizer, or use --no-train-op"
        )

    @classmethod
    def settings_of_an_object(cls) -> TrainError:
        """Refuse settings for an optimizer that was made already."""
        return cls(
            "an optimizer object has its own learning rate and arguments; "
            "leave learning_rate and arguments out, or give the optimizer's name"
        )

    @classmethod
    def no_slots_to_keep(cls, optimizer: str, titles: Sequence[str]) -> TrainError:
        """Refuse to keep slots where the old training had none that fit."""
        there = f"those of {joined(titles)}" if titles else "none"
        return cls(
            f"--keep-slots: the model has no slots of {optimizer} for what learns (it has {there})"
            "; use the optimizer that it was trained with, or leave --keep-slots out"
        )
