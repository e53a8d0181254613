from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from graphfreeze.errors import RewriteError
from graphfreeze.model.model import Model
from graphfreeze.model.names import TensorRef
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import AddNode, Edit, RemoveNode
from graphfreeze.rewrite.run import run
from graphfreeze.schema import CollectionDef, CondContextDef

TEXT = """
a = Placeholder()
b = Square(a)
c = Neg(b) {_class: ["loc:@d"]}
d = NoOp()
lost = NoOp(^gone)
"""


@dataclass(frozen=True)
class Fake:
    """Yields edits; its promise is that ``wanted`` is there."""

    edits: tuple[Edit, ...] = ()
    wanted: str = "a"
    name = "fake"

    def plan(self, draft: Draft) -> Iterator[Edit]:
        # The edits before this one must not be seen yet.
        for edit in self.edits:
            assert "new" not in draft.graph
            yield edit

    def verify(self, base: Model, draft: Draft) -> str | None:
        return None if self.wanted in draft.graph else f"no {self.wanted}"


NEW = AddNode("new", "NoOp")
BROKEN = {
    "its own promise": (Fake(wanted="q"), "no q"),
    "a data edge dangles": (Fake((RemoveNode("a"),), "b"), "b takes a, which is not in the graph"),
    "a new node's edge dangles": (
        Fake((AddNode("new", "Neg", (TensorRef("q"),)),)),
        "new takes q, which is not in the graph",
    ),
    "a colocation dangles": (Fake((RemoveNode("d"),)), "c is colocated with a node that is gone"),
}


@pytest.mark.parametrize(("each", "told"), BROKEN.values(), ids=BROKEN)
def test_broken_promise(each: Fake, told: str) -> None:
    with pytest.raises(RewriteError, match=f"pass 'fake' broke its promise: {told}"):
        run(Draft(parse_sketch(TEXT)), [each])


def test_a_context_may_not_name_what_is_gone() -> None:
    context = CondContextDef(context_name="branch", pred_name="a:0", pivot_name="lost:0")
    context.nested_contexts.add().while_ctxt.values_def.values.append("d:0")
    entry = CollectionDef(bytes_list=CollectionDef.BytesList(value=[context.SerializeToString()]))
    text = TEXT.replace(' {_class: ["loc:@d"]}', "")
    draft = Draft(parse_sketch(text, collections={"cond_context": entry}))
    with pytest.raises(RewriteError, match="collection 'cond_context' names d, which is gone"):
        run(draft, [Fake((RemoveNode("d"),))])


def test_plan_is_read_to_the_end_before_the_first_edit() -> None:
    draft = Draft(parse_sketch(TEXT))
    run(draft, [Fake((NEW, AddNode("other", "NoOp")), "new")])
    assert draft.added_nodes() == ["new", "other"]


def test_passes_run_in_order() -> None:
    draft = Draft(parse_sketch(TEXT))
    run(draft, [Fake((NEW,), "new"), Fake((), "new")])
    with pytest.raises(RewriteError, match="no q"):
        run(draft, [Fake((), "q"), Fake((RemoveNode("a"),))])
    assert "a" in draft.graph


def test_what_dangled_before_is_no_pass_s_fault() -> None:
    run(Draft(parse_sketch(TEXT)), [Fake()])
