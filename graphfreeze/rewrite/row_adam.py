"""Adam on some rows of a table, with dense gradients; TensorFlow has no op for it."""

from collections.abc import Iterator
from dataclasses import replace

from graphfreeze.model.attrs import find_attr
from graphfreeze.model.names import TensorRef, control
from graphfreeze.rewrite.edits import Edit
from graphfreeze.rewrite.row_nodes import row_ids
from graphfreeze.rewrite.row_update import RowUpdate
from graphfreeze.schema import types_pb2

INT64 = types_pb2.DT_INT64


def adam_of_rows(update: RowUpdate) -> Iterator[Edit]:
    """Yield the edits; the formula is ApplyAdam's (tensorflow/core/kernels/training_ops.cc).

    ``lr_t = lr * sqrt(1 - beta2_power) / (1 - beta1_power)``, ``m += (g - m) * (1 - beta1)``,
    ``v += (g * g - v) * (1 - beta2)``, ``var -= lr_t * m / (sqrt(v) + epsilon)``; with Nesterov
    ``m * beta1 + (1 - beta1) * g`` takes m's place in the last one.
    """
    arguments = update.arguments
    rows = row_ids(update.build, update.rows)
    step, slots = _step(update, arguments, rows)
    written = [_write_slot(update, name, arguments[name], rows, slots[name]) for name in "mv"]
    handle = arguments["var"]
    updates = {"ref": handle, "resource": handle, "indices": rows, "updates": step}
    yield from update.build.edits
    op = "ScatterSub" if update.variable.kind == "ref" else "ResourceScatterSub"
    yield update.replaced(op, updates, tuple(control(ref.node) for ref in written))


def _step(
    update: RowUpdate, arguments: dict[str, TensorRef], rows: TensorRef
) -> tuple[TensorRef, dict[str, TensorRef]]:
    """Return what to subtract from the rows, and the new rows of the slots."""
    dtype, build = update.variable.dtype, update.build
    types = {"T": dtype}

    def calc(role: str, op: str, *inputs: TensorRef) -> TensorRef:
        return build.add(role, op, inputs, types)

    one = build.const("one", 1, dtype)
    grad = update.gather("grad", arguments["grad"], rows, dtype)
    beta1, beta2 = arguments["beta1"], arguments["beta2"]
    m = _read_slot(update, "m", arguments["m"], rows)
    v = _read_slot(update, "v", arguments["v"], rows)
    rest1, rest2 = calc("rest1", "Sub", one, beta1), calc("rest2", "Sub", one, beta2)
    new_m = calc("m/new", "Add", m, calc("m/move", "Mul", calc("m/gap", "Sub", grad, m), rest1))
    square = calc("square", "Mul", grad, grad)
    new_v = calc("v/new", "Add", v, calc("v/move", "Mul", calc("v/gap", "Sub", square, v), rest2))
    bias1 = calc("bias1", "Sub", one, arguments["beta1_power"])
    root = calc("root", "Sqrt", calc("bias2", "Sub", one, arguments["beta2_power"]))
    rate = calc("rate", "RealDiv", calc("scaled_rate", "Mul", arguments["lr"], root), bias1)
    ahead = new_m
    if find_attr(update.node, "use_nesterov").b:
        kept = calc("m/kept", "Mul", new_m, beta1)
        ahead = calc("m/ahead", "Add", kept, calc("m/fresh", "Mul", grad, rest1))
    spread = calc("spread", "Add", calc("deviation", "Sqrt", new_v), arguments["epsilon"])
    step = calc("step", "RealDiv", calc("numerator", "Mul", ahead, rate), spread)
    return step, {"m": new_m, "v": new_v}


def _read_slot(update: RowUpdate, name: str, slot: TensorRef, rows: TensorRef) -> TensorRef:
    if update.variable.kind == "ref":
        return update.gather(f"{name}/read", slot, rows, update.variable.dtype)
    types = {"dtype": update.variable.dtype, "Tindices": INT64}
    return update.build.add(f"{name}/read", "ResourceGather", (slot, rows), types)


def _write_slot(
    update: RowUpdate, name: str, slot: TensorRef, rows: TensorRef, value: TensorRef
) -> TensorRef:
    key, op = "T", "ScatterUpdate"
    if update.variable.kind == "resource":
        key, op = "dtype", "ResourceScatterUpdate"
    types = {key: update.variable.dtype, "Tindices": INT64}
    # As late as the writer: what it waits for may be what keeps a step from being made at all.
    waits = [ref for ref in update.graph.inputs(update.writer) if ref.is_control]
    build = replace(update.build, controls=waits)
    return build.add(f"{name}/write", op, (slot, rows, value), types)
