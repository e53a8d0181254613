"""The runner: it lets passes plan, applies their edits, and checks what they promise."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Protocol

from graphfreeze.errors import RewriteError
from graphfreeze.model.collected import named_nodes
from graphfreeze.model.control_flow import named_in_contexts
from graphfreeze.model.model import Model
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import AddNode, Edit
from graphfreeze.rewrite.loops import join_contexts


class Pass(Protocol):
    """One rewrite: ``plan`` sees the draft as it stands before any of the pass's edits."""

    @property
    def name(self) -> str:
        """How reports and errors call it."""

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield what is to be different."""

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Return what is wrong with the result, or None."""


def run(draft: Draft, passes: Iterable[Pass]) -> None:
    """Run passes in order; raises RewriteError when one breaks its promise."""
    for each in passes:
        edits = list(each.plan(draft))
        for edit in edits:
            draft.apply(edit)
        new = [edit.name for edit in edits if isinstance(edit, AddNode)]
        for joined in list(join_contexts(draft, new)):
            draft.apply(joined)
        wrong = next(_broken(draft), None) or each.verify(draft.base, draft)
        if wrong is not None:
            raise RewriteError.broken_promise(each.name, wrong)


def _broken(draft: Draft) -> Iterator[str]:
    """Yield what no pass may leave behind."""
    known = set(draft.base.graph.dangling())
    yield from (each for each in draft.graph.dangling() if each not in known)
    named = chain(named_nodes(draft.collections), named_in_contexts(draft.collections))
    lost = (each for each in named if each[1] not in draft.graph)
    for key, name in islice((e for e in lost if e[1] in draft.base.graph), 1):
        yield f"collection {key!r} names {name}, which is gone"
    for name in islice(draft.loose_colocations(), 1):
        yield f"{name} is colocated with a node that is gone"
