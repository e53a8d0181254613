"""How nodes and tensors are named."""

from dataclasses import dataclass

from graphfreeze.errors import LoadError


class BadNameError(LoadError, ValueError):
    """Text that names no tensor."""


@dataclass(frozen=True, slots=True, order=True)
class TensorRef:
    """One entry of ``NodeDef.input``: a data edge, or a control edge if port is None.

    Inside a function body ``output`` names the op's output argument (``node:output:port``).
    """

    node: str
    port: int | None = 0
    output: str = ""

    def __str__(self) -> str:
        """Write it as ``NodeDef.input`` has it: port 0 is silent outside functions."""
        if self.port is None:
            return f"^{self.node}"
        if self.output:
            return f"{self.node}:{self.output}:{self.port}"
        return f"{self.node}:{self.port}" if self.port else self.node

    @property
    def is_control(self) -> bool:
        """Tell a control edge from a data edge."""
        return self.port is None

    @property
    def tensor_name(self) -> str:
        """Write it as TensorFlow names a tensor: ``node:port``."""
        return f"{self.node}:{self.port}"


def parse_ref(text: str) -> TensorRef:
    """Read an entry of ``NodeDef.input``, or the name of a tensor or operation.

    Raises BadNameError."""
    if text.startswith("^"):
        return TensorRef(text[1:], None)
    node, *rest = text.split(":")
    match rest:
        case []:
            return TensorRef(node)
        case [port] if port.isdecimal():
            return TensorRef(node, int(port))
        case [output, port] if port.isdecimal():
            return TensorRef(node, int(port), output)
    raise BadNameError(f"{text!r} is no tensor name; write node or node:port")


def find_ref(text: str) -> TensorRef | None:
    """Read the name of a tensor or operation, None if it is something else."""
    try:
        return parse_ref(text)
    except BadNameError:
        return None


def control(node: str) -> TensorRef:
    """Return the control edge from a node."""
    return TensorRef(node, None)
