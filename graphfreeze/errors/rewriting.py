"""Say why a graph cannot be edited as its selection asks."""

from __future__ import annotations

from collections.abc import Iterable

from graphfreeze.errors.base import GraphfreezeError, listed, with_hint


class RewriteError(GraphfreezeError):
    """Say why a graph cannot be edited as its selection asks."""

    @classmethod
    def unmaskable_reader(cls, variable: str, node: str, *, op: str) -> RewriteError:
        """Name a node that reads a partly frozen variable in a way no mask fits."""
        return cls(
            f"node {node!r} reads {variable!r} with op {op}, which cannot be masked; "
            f"freeze {variable!r} whole or leave it trainable"
        )

    @classmethod
    def reader_in_loop(cls, variable: str, node: str) -> RewriteError:
        """Name a reader inside a while loop that a mask or an overlay cannot be led to."""
        return cls(
            f"node {node!r} reads {variable!r} inside a while loop, where what tells its frozen "
            "entries cannot be led; choose whole rows with --row-strategy mask, or freeze it whole"
        )

    @classmethod
    def in_function(
        cls, reason: str, function: str, *, argument: str, variable: str
    ) -> RewriteError:
        """Name the function where something is wrong, and what it calls a variable."""
        known = f", where {variable!r} is {argument!r}" if variable != argument else ""
        return cls(f"in function {function!r}{known}: {reason}")

    @classmethod
    def recursive_function(cls, variable: str, function: str) -> RewriteError:
        """Name a function that hands a frozen variable on to itself."""
        return cls(
            f"function {function!r} calls itself and hands {variable!r} on, so no copy of it can "
            f"stop or mask what it reads; leave {variable!r} trainable"
        )

    @classmethod
    def moving_handle(cls, variable: str, node: str) -> RewriteError:
        """Name a loop whose body finds a frozen variable at another place in its next step."""
        return cls(
            f"loop {node!r} hands {variable!r} on in the place of another variable, so no copy of "
            f"its functions can stop or mask what they read of it; leave {variable!r} trainable"
        )

    @classmethod
    def shared_handle(cls, variable: str, node: str, *, other: str) -> RewriteError:
        """Name a node that gives the handle of one variable or of another."""
        return cls(
            f"node {node!r} gives {variable!r} or {other!r}, and what is read behind it cannot be "
            "stopped for one alone; freeze both whole, or neither"
        )

    @classmethod
    def overlaid_in_old_loop(cls, node: str) -> RewriteError:
        """Name a loop that reads a table which rows are laid over, and holds more than it did."""
        return cls(
            f"loop {node!r} was saved with what its gradients keep, behind which the rows of an "
            "overlay would have none; freeze rows with --row-strategy mask"
        )

    @classmethod
    def ungated_writer(cls, variable: str, node: str, *, op: str) -> RewriteError:
        """Name a writer of a frozen variable that cannot be stopped: its output is needed."""
        return cls(
            f"node {node!r} writes {variable!r} in each step, with op {op} whose output is needed, "
            f"so it cannot be stopped; leave {variable!r} trainable"
        )

    @classmethod
    def shared_writer(cls, variable: str, node: str, *, op: str, other: str) -> RewriteError:
        """Name a writer that writes a frozen variable and one that is not."""
        return cls(
            f"node {node!r} (op {op}) writes {variable!r} and {other!r} at once, so it cannot be "
            f"stopped for one alone; freeze both or neither"
        )

    @classmethod
    def unguarded_writer(cls, variable: str, node: str, *, op: str) -> RewriteError:
        """Name a writer of a partly frozen variable that cannot be kept to some entries."""
        return cls(
            f"node {node!r} writes {variable!r} with op {op}, which cannot be kept to some "
            f"entries; choose another optimizer, or freeze {variable!r} whole"
        )

    @classmethod
    def pin_with_workers(cls, variable: str, node: str, *, op: str, device: str) -> RewriteError:
        """Name a writer whose frozen entries would be put back too late for other workers."""
        return cls(
            f"node {node!r} (op {op}) writes {variable!r}: frozen entries could only be put back "
            f"after it, and other workers ({device}) see them move; use --row-strategy overlay"
        )

    @classmethod
    def pin_in_branch(cls, variable: str, node: str, *, branch: str, op: str) -> RewriteError:
        """Name a writer whose frozen entries nothing could put back if a branch is not taken."""
        return cls(
            f"node {node!r} (op {op}) writes {variable!r}: frozen entries could only be put back "
            f"after it and after {branch!r}, which is in a branch that may not be taken; choose "
            f"another optimizer, or freeze {variable!r} whole"
        )

    @classmethod
    def overlaid_writer(cls, variable: str, node: str, *, op: str) -> RewriteError:
        """Name a writer, not of training, of a table that is only read under its overlay."""
        return cls(
            f"node {node!r} writes {variable!r} in each step, with op {op}, and an overlay would "
            "hide what it writes; freeze its rows with --row-strategy mask"
        )

    @classmethod
    def overlaid_columns(cls, variable: str, part: str) -> RewriteError:
        """Name a table whose parts hold columns, so that no variable can hold a part's rows."""
        return cls(
            f"part {part!r} of {variable!r} holds some columns only, over which no rows can be "
            "laid; freeze its rows with --row-strategy mask"
        )

    @classmethod
    def runs_old_training(cls, end: str, writer: str) -> RewriteError:
        """Name what a step fetches, and what of the old training runs with it."""
        return cls(
            f"{end!r} is fetched with a step and runs {writer!r} of the old training, which writes "
            "what is frozen; leave out --keep-training: the old training goes then, and nothing "
            "waits for it"
        )

    @classmethod
    def not_beside_old_training(cls, option: str, reason: str) -> RewriteError:
        """Name an option that would break an old training, and how."""
        return cls(
            f"{option} would break the old training that --keep-training keeps: {reason}; "
            "leave one of the two out"
        )

    @classmethod
    def no_such_frame(cls, frame: str, frames: Iterable[str]) -> RewriteError:
        """Name a frame that is none of a loop whose context was recovered."""
        known = list(frames)
        otherwise = f"give one of {listed(known)}"
        if not known:
            otherwise = "none lacks one, and a context tells what passes its loop; leave it out"
        hint = with_hint(frame, known, otherwise)
        return cls(f"--no-backprop: no v1 loop without a context has the frame {frame!r}{hint}")

    @classmethod
    def no_resource_twin(cls, variable: str, node: str, *, op: str) -> RewriteError:
        """Name a node that takes a ref variable by an op that resource variables do not have."""
        return cls(
            f"node {node!r} takes the ref variable {variable!r} with op {op}, and TensorFlow 1.15 "
            "has no such op for resource variables; leave the variables as they are, without "
            "--variables resource"
        )

    @classmethod
    def broken_promise(cls, rewrite: str, reason: str) -> RewriteError:
        """Name the pass whose result is not what it promised, and what is wrong."""
        return cls(f"pass {rewrite!r} broke its promise: {reason}; nothing was written, report it")

    @classmethod
    def name_taken(cls, node: str) -> RewriteError:
        """Name a node that is to be added and is there already."""
        return cls(
            f"the graph already has a node {node!r}; was it frozen before? "
            "start again from the model it came from"
        )

    @classmethod
    def no_such_node(cls, node: str, names: Iterable[str]) -> RewriteError:
        """Name a node that an edit speaks of and the graph does not have."""
        hint = with_hint(node, names, "list names with 'graphfreeze show'")
        return cls(f"the graph has no node {node!r} to edit{hint}")
