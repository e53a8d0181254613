"""What ops make of the shapes of their inputs."""

import math
from collections.abc import Callable, Mapping, Sequence

from graphfreeze.model.attrs import Shape
from graphfreeze.model.reshapes import reshaped
from graphfreeze.model.shape_sites import Site

_AROUND = frozenset({"NextIteration", "RefNextIteration"})
Rule = Callable[[Site], Shape | None]


def _first(site: Site) -> Shape | None:
    """Return the first input's: what goes through element by element."""
    return site.shape() if not site.ref.port else None


def _either(site: Site) -> Shape | None:
    """Return what branches agree on; around a loop shapes stay, and what is known of one holds."""
    every = [site.known.get(ref) for ref in site.inputs]
    shapes = [shape for shape in every if shape is not None]
    is_loop = any(site.graph.op(ref.node) in _AROUND for ref in site.inputs)
    is_open = len(shapes) < len(every) and not is_loop
    if site.ref.port or is_open or not shapes or len({len(shape) for shape in shapes}) > 1:
        return None
    return tuple(sizes[0] if len(set(sizes)) == 1 else None for sizes in zip(*shapes, strict=True))


def _broadcast(site: Site) -> Shape | None:
    first, second = site.shape(0), site.shape(1)
    if first is None or second is None:
        return None
    rank = max(len(first), len(second))
    padded = [(1,) * (rank - len(shape)) + shape for shape in (first, second)]
    return tuple(_wider(a, b) for a, b in zip(*padded, strict=True))


def _wider(a: int | None, b: int | None) -> int | None:
    """Return the size of an axis by those of two operands; what is unknown may be 1."""
    if a == 1 or b == 1:
        return b if a == 1 else a
    return b if a is None else a


def _product(site: Site) -> Shape | None:
    """Return the rows of the first matrix and the columns of the second."""
    rows, columns = site.shape(0), site.shape(1)
    first = None if rows is None else rows[site.flag("transpose_a")]
    return first, None if columns is None else columns[not site.flag("transpose_b")]


def _window(site: Site, channels: int | None, kernel: Sequence[int | None]) -> Shape | None:
    """Return what a window that slides over two axes leaves of them."""
    shape = site.shape()
    if shape is None or len(shape) != 4:
        return None
    form = site.text("data_format", "NHWC")
    strides, dilations = site.list("strides") or [1] * 4, site.list("dilations") or [1] * 4
    sizes: list[int | None] = list(shape)
    sizes[form.index("C")] = channels
    for axis, width in zip((form.index("H"), form.index("W")), kernel, strict=True):
        sizes[axis] = _slid(shape[axis], width, strides[axis], dilations[axis], site)
    return tuple(sizes)


def _slid(
    size: int | None, width: int | None, stride: int, dilation: int, site: Site
) -> int | None:
    padding = site.text("padding", "")
    if size is None or padding not in ("SAME", "VALID"):
        return None
    if padding == "VALID":
        if width is None:
            return None
        size -= (width - 1) * dilation
    return -(-size // stride)


def _convolution(site: Site) -> Shape | None:
    kernel = site.shape(1)
    if kernel is None or len(kernel) != 4:
        return _window(site, None, (None, None))
    depth = kernel[3]
    if site.op.startswith("Depthwise"):
        depth = None if None in kernel[2:] else math.prod(d or 0 for d in kernel[2:])
    return _window(site, depth, kernel[:2])


def _pool(site: Site) -> Shape | None:
    shape, form = site.shape(), site.text("data_format", "NHWC")
    if shape is None or len(shape) != 4 or site.ref.port:
        return None
    kernel = site.list("ksize")
    return _window(site, shape[form.index("C")], (kernel[form.index("H")], kernel[form.index("W")]))


def _reduced(site: Site) -> Shape | None:
    shape, axes = site.shape(), site.numbers(1)
    if shape is None or axes is None:
        return None
    gone = {axis % len(shape) for axis in axes if shape}
    keeps = site.flag("keep_dims")
    return tuple(1 if i in gone else d for i, d in enumerate(shape) if keeps or i not in gone)


def _joined(site: Site) -> Shape | None:
    """Return what tensors are one after the other: ConcatV2, Concat."""
    at = 0 if site.op == "Concat" else len(site.inputs) - 1
    shapes = [site.shape(slot) for slot in range(len(site.inputs)) if slot != at]
    known, axes = [s for s in shapes if s is not None], site.numbers(at)
    if axes is None or len(known) < len(shapes) or not known[0]:
        return None
    if len({len(shape) for shape in known}) > 1:
        return None
    axis, out = axes[0] % len(known[0]), list(known[0])
    sizes = [shape[axis] for shape in known]
    out[axis] = None if None in sizes else sum(size or 0 for size in sizes)
    return tuple(out)


def _squeezed(site: Site) -> Shape | None:
    shape, axes = site.shape(), site.list("squeeze_dims")
    if shape is None or (not axes and None in shape):
        return None
    gone = {axis % len(shape) for axis in axes} or {i for i, d in enumerate(shape) if d == 1}
    return tuple(size for axis, size in enumerate(shape) if axis not in gone)


def _expanded(site: Site) -> Shape | None:
    shape, axes = site.shape(), site.numbers(1)
    if shape is None or axes is None:
        return None
    axis = axes[0] % (len(shape) + 1)
    return (*shape[:axis], 1, *shape[axis:])


def _padded(site: Site) -> Shape | None:
    shape, pads = site.shape(), site.numbers(1)
    if shape is None or pads is None or len(pads) != 2 * len(shape):
        return None
    pairs = zip(shape, pads[::2], pads[1::2], strict=True)
    return tuple(None if size is None else size + a + b for size, a, b in pairs)


def _transposed(site: Site) -> Shape | None:
    shape, order = site.shape(), site.numbers(1)
    if shape is None or order is None or len(order) != len(shape):
        return None
    return tuple(shape[axis] for axis in order)


def _looked_up(site: Site) -> Shape | None:
    """Return the shape of ids with a row of the table for each."""
    table, ids = site.shape(0), site.shape(1)
    axis = site.numbers(2) if site.op == "GatherV2" else [0]
    return (*ids, *table[1:]) if table and ids is not None and axis == [0] else None


_ONE_BY_ONE = (
    *("Identity", "Cast", "StopGradient", "CheckNumerics", "Enter", "RefEnter", "Exit", "RefExit"),
    *("ReadVariableOp", "Neg", "Abs", "Exp", "Log", "Log1p", "Sqrt", "Rsqrt", "Square", "Tanh"),
    *("Relu", "Relu6", "Elu", "Selu", "LeakyRelu", "Softplus", "Softsign", "Sigmoid", "Softmax"),
    *("LogSoftmax", "BiasAdd", "BiasAddV1", "LRN", "ZerosLike", "OnesLike", "Snapshot", "Floor"),
    *("FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxArgs", "FakeQuantWithMinMaxVarsPerChannel"),
    *("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3", "NextIteration", "LoopCond"),
    *("PreventGradient", "BatchNormWithGlobalNormalization", "ReverseV2", "ClipByValue"),
)
_BY_PAIRS = (
    *("Add", "AddV2", "Sub", "Mul", "RealDiv", "Div", "Maximum", "Minimum", "Pow"),
    *("SquaredDifference", "FloorMod", "FloorDiv"),
)
RULES: Mapping[str, Rule] = {
    **dict.fromkeys(_ONE_BY_ONE, _first),
    **dict.fromkeys(_BY_PAIRS, _broadcast),
    **dict.fromkeys(("Merge", "RefMerge"), _either),
    **dict.fromkeys(("Switch", "RefSwitch"), lambda site: site.shape()),
    **dict.fromkeys(("Conv2D", "DepthwiseConv2dNative"), _convolution),
    **dict.fromkeys(("MaxPool", "AvgPool"), _pool),
    **dict.fromkeys(("Mean", "Sum", "Max", "Min", "Prod"), _reduced),
    **dict.fromkeys(("Concat", "ConcatV2"), _joined),
    **dict.fromkeys(("Pad", "PadV2", "MirrorPad"), _padded),
    **dict.fromkeys(("Gather", "GatherV2", "ResourceGather"), _looked_up),
    "MatMul": _product,
    "Reshape": reshaped,
    "Squeeze": _squeezed,
    "ExpandDims": _expanded,
    "Transpose": _transposed,
}
