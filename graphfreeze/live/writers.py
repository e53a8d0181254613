"""Find what writes a variable in a live graph, and whether a step runs it."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from graphfreeze.errors import RewriteError
from graphfreeze.model.variables import ONLY_READ

Operation = Any  # TensorFlow has no types
Variable = Any

_PASSED_ON = frozenset({"Identity", "Enter", "Exit", "Switch", "Merge", "NextIteration", "Select"})


def find_writers(variable: Variable) -> set[Operation]:
    """Return the ops that may change a variable: all that take it by ref or handle, but reads.

    Loops and conditionals pass a variable on; one that calls functions says which it only reads.
    """
    found: set[Operation] = set()
    names, todo = {variable.op.name}, deque([variable.op])
    while todo:
        for op in {use for output in todo.popleft().outputs for use in output.consumers()}:
            if not _takes(op, names):
                continue
            if op.type.removeprefix("Ref") not in _PASSED_ON:
                found.add(op)
            elif op.name not in names:
                names.add(op.name)
                todo.append(op)
    return found


def _takes(op: Operation, names: set[str]) -> bool:
    """Return whether an op takes one of the named variables, or what passed it on, to write."""
    if op.type in ONLY_READ:
        return False
    by_ref = list(_ref_inputs(op))
    only_read = _attr(op, "_read_only_resource_inputs")
    types = {i: t.dtype.name for i, t in enumerate(op.inputs) if t.op.name in names}
    return any(
        by_ref[i] if name.endswith("_ref") else name == "resource" and i not in only_read
        for i, name in types.items()
    )


def _ref_inputs(op: Operation) -> Iterator[bool]:
    """Yield for each input whether it is taken by ref; else a ref is read."""
    for arg in op.op_def.input_arg:
        count = 1
        if arg.number_attr:
            count = op.get_attr(arg.number_attr)
        elif arg.type_list_attr:
            count = len(op.get_attr(arg.type_list_attr))
        yield from [bool(arg.is_ref)] * count


def _attr(op: Operation, name: str) -> list[int]:
    try:
        found: list[int] = op.get_attr(name)
    except ValueError:
        return []
    return found


def cone(ops: Iterable[Operation]) -> set[Operation]:
    """Return the ops, and all that run before them."""
    seen = set(ops)
    todo = deque(seen)
    while todo:
        op = todo.popleft()
        before = {*(tensor.op for tensor in op.inputs), *op.control_inputs} - seen
        seen |= before
        todo.extend(before)
    return seen


def without_writers(ops: Iterable[Operation], writers: set[Operation]) -> Iterator[Operation]:
    """Yield the ops that run none of the writers; of a group that does, its other members."""
    for op in ops:
        if not writers & cone([op]):
            yield op
        elif op.type == "NoOp":
            yield from without_writers(op.control_inputs, writers)


def refuse_writers(variables: Iterable[Variable], ops: set[Operation]) -> None:
    """Raise RewriteError if one of the ops writes one of the variables."""
    for variable in variables:
        for op in sorted(find_writers(variable) & ops, key=lambda op: str(op.name)):
            raise RewriteError(
                f"node {op.name!r} ({op.type}) writes frozen {variable.op.name!r} in each step; "
                "take it out of what the loss and UPDATE_OPS run, or leave the variable trainable"
            )
