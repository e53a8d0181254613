"""Say why no train_op can be built."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from graphfreeze.errors.base import GraphfreezeError, joined, listed, with_hint, with_scopes


class TrainError(GraphfreezeError):
    """Say why no train_op can be built."""

    @classmethod
    def no_loss(cls, candidates: Sequence[str] = ()) -> TrainError:
        """Refuse to train a graph whose ``losses`` collection is empty, and list what may be it."""
        offered = f"; it may be {listed(candidates)}" if candidates else ""
        return cls(
            "the graph's collection 'losses' is empty; name one with --loss ('graphfreeze freeze' "
            f"can add one with --head, or do without by --no-train-op){offered}"
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
        return cls(
            f"learning rate {rate:g} is no positive number (as float32); give one as in 0.001"
        )

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
        hint = with_hint(loss, names, "write a node's name and the number of its output: 'loss:0'")
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
        """Name every op of the graph that this TensorFlow lacks, with what brings it."""
        return cls(
            f"TensorFlow {version} lacks ops of this graph: {joined(ops)}; "
            "load them with --op-library FILE.so, or use --no-train-op"
        )

    @classmethod
    def no_gradient_function(cls, function: str, gradient: str) -> TrainError:
        """Name a function whose gradient is another one that the library does not hold."""
        return cls(
            f"the gradient of function {function!r} is {gradient!r}, which the library lacks; "
            "export the model again, or use --no-train-op"
        )

    @classmethod
    def custom_gradients(cls, nodes: Mapping[str, str]) -> TrainError:
        """Name all nodes whose gradients were Python functions, with those of their gradients."""
        kinds = list(dict.fromkeys(nodes.values()))
        told = listed([f"{node} ({kind})" for node, kind in nodes.items()], most=5)
        asked = " ".join(f"--gradient {kind}=module:function" for kind in kinds)
        return cls(
            f"gradients of {told} were Python functions, which no graph holds; give {asked}, "
            "or take those of the ops with --custom-gradients ignore"
        )

    @classmethod
    def bad_gradient(cls, name: str, place: str, reason: str) -> TrainError:
        """Name a function that cannot be had, and why."""
        return cls(
            f"--gradient {name}={place}: {reason}; name a function of a module that can be "
            "imported from here"
        )

    @classmethod
    def unknown_gradient(cls, name: str, known: Iterable[str]) -> TrainError:
        """Name a gradient that no node of the graph asks for."""
        hint = with_hint(name, known, "'graphfreeze explain' tells which gradients are asked for")
        return cls(f"--gradient: no node has the op or the gradient {name!r}{hint}")

    @classmethod
    def unknown_treatment(cls, value: str, known: Sequence[str]) -> TrainError:
        """Name a way to treat custom gradients that there is not."""
        return cls(f"custom_gradients={value!r} is not known; choose from {joined(known)}")

    @classmethod
    def unknown_target(cls, target: str, known: Sequence[str]) -> TrainError:
        """Name a target that there is not."""
        return cls(f"no target {target!r}; choose from {joined(known)}")

    @classmethod
    def not_in_target(cls, found: Sequence[tuple[str, str]], *, target: str) -> TrainError:
        """Name all new nodes with what the target does not know and nothing older does."""
        told = listed([f"{what} ({node})" for node, what in found], most=5)
        return cls(
            f"TensorFlow {target} lacks what the train_op needs: {told}; "
            "use --target 2 if it is to run in TensorFlow 2 alone"
        )

    @classmethod
    def no_gradient(cls, node: str, *, op: str) -> TrainError:
        """Name an op on the way from the loss to a variable that has no gradient."""
        return cls(
            f"node {node!r} (op {op}) has no gradient; choose another --loss, stop it before with "
            f"--stop-gradient {node}, or give --gradient {op}=module:function"
        )

    @classmethod
    def unrecovered_loop(cls, frame: str, reason: str) -> TrainError:
        """Name the frame of a loop that has no context, and why its nodes do not tell one."""
        return cls(
            f"no while_context describes the loop of frame {frame!r}, and its nodes do not: "
            f"{reason}; give the model's .meta, or --stop-gradient behind the loop"
        )

    @classmethod
    def undescribed_in_function(cls, node: str, function: str, *, op: str) -> TrainError:
        """Name a node of a loop or branch without a context, in a function's body."""
        return cls(
            f"no gradient passes node {node!r} (op {op}) of function {function!r}: no context "
            "describes loops and branches of TensorFlow 1 there; choose another --loss, or "
            "--stop-gradient behind the call"
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
    def named_only(cls, option: str) -> TrainError:
        """Refuse an option that an optimizer object cannot have."""
        return cls(
            f"{option} needs an optimizer by its name, an object has settings of its own; "
            "give a name, or leave it out"
        )

    @classmethod
    def no_decay(cls, optimizer: str) -> TrainError:
        """Refuse patterns of what does not decay where nothing does."""
        return cls(
            f"--no-decay: optimizer {optimizer!r} has no weight decay; use adamw, or leave it out"
        )

    @classmethod
    def nothing_learns(cls, option: str, pattern: str, names: Iterable[str]) -> TrainError:
        """Name a pattern that matches nothing that is left to learn, and the nearest names."""
        hint = with_hint(pattern, with_scopes(names), "list names with 'graphfreeze show'")
        return cls(f"{option}: pattern {pattern!r} matches no variable that learns{hint}")

    @classmethod
    def only_frozen(cls, option: str, pattern: str, found: Sequence[str]) -> TrainError:
        """Name a pattern that matches frozen variables alone."""
        return cls(
            f"{option}: pattern {pattern!r} matches only what is frozen: {listed(found)}; "
            "freeze less, or leave it out"
        )

    @classmethod
    def bad_number(cls, name: str, value: object, *, wanted: str) -> TrainError:
        """Name a setting whose value is of no use."""
        return cls(f"{name}: {value!r} is not {wanted}; give one, or leave it out")

    @classmethod
    def unknown_schedule(cls, kind: str, known: Iterable[str]) -> TrainError:
        """Name a schedule that does not exist, and the nearest ones."""
        offered = list(known)
        hint = with_hint(kind, offered, f"choose from {joined(offered)}")
        return cls(f"--schedule: no schedule {kind!r}{hint}")

    @classmethod
    def unknown_schedule_key(cls, kind: str, key: str, known: Sequence[str]) -> TrainError:
        """Name a key that a schedule does not take, and the nearest ones."""
        hint = with_hint(key, known, f"choose from {joined(known)}")
        return cls(f"--schedule: {kind!r} takes no {key!r}{hint}")

    @classmethod
    def missing_schedule_key(cls, kind: str, key: str) -> TrainError:
        """Name a key that a schedule cannot do without."""
        return cls(f"--schedule: {kind!r} needs {key!r}; give it as in '{kind}:{key}=...'")

    @classmethod
    def bad_schedule_value(cls, kind: str, key: str, value: object, *, wanted: str) -> TrainError:
        """Name a value that a key of a schedule does not take."""
        return cls(f"--schedule: {kind!r} has {key} = {value!r}, which is not {wanted}; mend it")

    @classmethod
    def rate_of_zero(cls, optimizer: str, key: str) -> TrainError:
        """Name what makes the learning rate 0 for an optimizer that divides by it."""
        mend = "leave it out" if key == "warmup" else "give it a positive value"
        return cls(
            f"--schedule: {key!r} leads to a learning rate of 0, by which optimizer {optimizer!r} "
            f"divides; {mend}, or choose another optimizer"
        )

    @classmethod
    def update_before_gradients(cls, writers: Sequence[str]) -> TrainError:
        """Name writers that no test of the gradients can hold back."""
        return cls(
            f"--skip-nonfinite: {listed(writers)} would write in a step that is to be skipped: in "
            "a loop, or before the gradients are there; leave it out, or let no loss wait for them"
        )

    @classmethod
    def no_slots_to_keep(cls, optimizer: str, titles: Sequence[str]) -> TrainError:
        """Refuse to keep slots where the old training had none that fit."""
        there = f"those of {joined(titles)}" if titles else "none"
        return cls(
            f"--keep-slots: the model has no slots of {optimizer} for what learns (it has {there})"
            "; use the optimizer that it was trained with, or leave --keep-slots out"
        )
