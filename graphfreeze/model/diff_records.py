"""What is told of two models: JSON records of ``diff``."""

import msgspec


class NodeRecord(msgspec.Struct, frozen=True):
    """A node that only one of two graphs has."""

    name: str
    op: str


class RewiredRecord(msgspec.Struct, frozen=True):
    """A node that takes other inputs: ``before`` and ``after``, ``^`` marks control edges."""

    name: str
    op: str
    before: list[str]
    after: list[str]


class ValueRecord(msgspec.Struct, frozen=True):
    """What a node has in two graphs, None where it has none; ``name`` is an attribute's.

    The op and the device of a node are told under ``op`` and ``device``."""

    name: str
    before: str | None
    after: str | None


class ChangedRecord(msgspec.Struct, frozen=True):
    """A node with another op, device or attributes."""

    name: str
    op: str
    values: list[ValueRecord]


class EntriesRecord(msgspec.Struct, frozen=True):
    """What only one of two models has under a key: of a collection, of functions, of the saver."""

    key: str
    added: list[str]
    removed: list[str]


class StateRecord(msgspec.Struct, frozen=True):
    """What a variable is in two models, None where there is none; ``rule`` is that of the second.

    ``before`` and ``after`` are states, with the frozen entries of those partly frozen."""

    name: str
    before: str | None
    after: str | None
    rule: str = ""


class FunctionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A function whose body is another one than ``source``'s of the first model.

    That is the function of the same name, or the one that it is a copy of. Tensors in bodies are
    named as those of graphs are; ``return:y`` stands for what is returned as y."""

    name: str
    source: str
    added: list[NodeRecord]
    removed: list[NodeRecord]
    rewired: list[RewiredRecord]
    changed: list[ChangedRecord]


class DiffRecord(msgspec.Struct, frozen=True, kw_only=True):
    """How a second model differs from a first one.

    ``operations`` counts by op how many more nodes the second has. ``functions`` are those that
    differ in their bodies. ``others`` are functions, signatures and keys of the saver."""

    first: str
    second: str
    added: list[NodeRecord]
    removed: list[NodeRecord]
    rewired: list[RewiredRecord]
    changed: list[ChangedRecord]
    operations: dict[str, int]
    collections: list[EntriesRecord]
    others: list[EntriesRecord]
    variables: list[StateRecord] = []
    functions: list[FunctionRecord] = []

    @property
    def is_empty(self) -> bool:
        """Tell whether both models are the same."""
        lists = (self.added, self.removed, self.rewired, self.changed, self.collections)
        return not any((*lists, self.others, self.variables))
