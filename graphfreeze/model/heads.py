"""A head: a layer, a loss and a measure for a model that has none; and what is told of one."""

import re

import msgspec

from graphfreeze.errors import HeadError

SOFTMAX, SIGMOID, REGRESSION = "softmax", "sigmoid", "regression"
KINDS = (SOFTMAX, SIGMOID, REGRESSION)
NAME = "head"
_SCOPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_.-]+)*")  # as TensorFlow's names


class Head(msgspec.Struct, frozen=True):
    """What a model is to learn anew, over the features that the tensor ``at`` holds.

    ==========  =============================================  ===================================
    softmax     one of ``classes`` for each example            labels int64 [batch]
    sigmoid     each of ``classes`` or not                     labels [batch, classes] of 0 and 1
    regression  ``classes`` numbers, one if that is left out   labels [batch, classes]
    ==========  =============================================  ===================================

    ``at`` is a tensor or a node, ``name`` the scope of all that is new. ``features`` are the
    numbers that each example has there, to be given where the graph does not say. Raises HeadError.
    """

    kind: str
    at: str
    classes: int | None = None
    name: str = NAME
    features: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise HeadError.unknown_kind(self.kind, KINDS)
        if self.classes is None and self.kind != REGRESSION:
            raise HeadError.no_classes(self.kind)
        least = {"classes": 2 if self.kind == SOFTMAX else 1, "features": 1}
        for what, smallest in least.items():
            value = getattr(self, what)
            if value is not None and (type(value) is not int or value < smallest):
                raise HeadError.bad_count(what, value, least=smallest)
        if not _SCOPE.fullmatch(self.name):
            raise HeadError.bad_name(self.name)

    @property
    def width(self) -> int:
        """The number of classes, or of what is to be estimated."""
        return 1 if self.classes is None else self.classes


class HeadRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A head as ``freeze`` tells it.

    ``tensors`` are its tensors by what they are: features (which may be fed, as when they were
    computed once for all), logits and probabilities or, of a regression, predictions; labels, loss,
    and accuracy or, of a regression, error. ``variables`` learn. ``losses_before`` left the
    collection ``losses`` for the head's own."""

    kind: str
    at: str
    classes: int
    features: int
    name: str
    tensors: dict[str, str]
    variables: list[str]
    losses_before: list[str] = []

    @property
    def head(self) -> Head:
        """The head itself, to be put on again."""
        return Head(self.kind, self.at, self.classes, self.name, self.features)

    def differs_in(self, head: Head) -> list[str]:
        """Return what another head has differently; the number of features may be left out."""
        mine = {"kind": self.kind, "at": self.at, "classes": self.classes, "name": self.name}
        others = {"kind": head.kind, "at": at_name(head.at), "classes": head.width}
        others["name"] = head.name
        found = [what for what, value in mine.items() if others[what] != value]
        is_other = head.features not in (None, self.features)
        return [*found, "features"] if is_other else found


def at_name(at: str) -> str:
    """Return a tensor's whole name: a node stands for its first output."""
    return at if ":" in at else f"{at}:0"
