"""A MetaGraph gets what a server looks for."""

import pytest

from graphfreeze.model.names import TensorRef
from graphfreeze.prepare.serve import Serve
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import SetCollection
from graphfreeze.rewrite.run import run
from graphfreeze.schema import CollectionDef, types_pb2
from graphfreeze.selection.served import Served

MODEL = """\
words = Placeholder() {dtype: string, shape: [?]}
table = HashTableV2() {key_dtype: string, value_dtype: int64}
keys = Const() {value: [1.0]}
fill = LookupTableImportV2(table, keys, keys)
other = HashTableV2() {key_dtype: string, value_dtype: int64}
fill_other = LookupTableImportV2(other, keys, keys)
default = Const() {value: 0.0}
ids = LookupTableFindV2(table, words, default) {Tin: string, Tout: int64}
"""
SERVED = Served("serving_default", {"words": TensorRef("words")}, {"ids": TensorRef("ids")}, True)


def nodes(*names: str) -> CollectionDef:
    return CollectionDef(node_list=CollectionDef.NodeList(value=names))


def served(*starters: str, main: str = "") -> Draft:
    draft = Draft(parse_sketch(MODEL))
    draft.apply(SetCollection("table_initializer", nodes(*starters)))
    if main:
        draft.apply(SetCollection("legacy_init_op", nodes(main)))
    run(draft, [Serve(SERVED, ("serve",))])
    return draft


def test_tags_and_signature() -> None:
    draft = served()
    signature = draft.signatures["serving_default"]
    assert draft.tags == ("serve",)
    assert signature.method_name == "tensorflow/serving/predict"
    words, ids = signature.inputs["words"], signature.outputs["ids"]
    assert (words.name, words.dtype) == ("words:0", types_pb2.DT_STRING)
    assert [dim.size for dim in words.tensor_shape.dim] == [-1]
    assert (ids.name, ids.dtype) == ("ids:0", types_pb2.DT_INT64)
    assert ids.tensor_shape.unknown_rank


@pytest.mark.parametrize(
    ("starters", "named"),
    [((), None), (("fill_other",), None), (("fill_other", "fill"), "fill")],
    ids=["none", "of a table that is not asked", "one of two"],
)
def test_the_main_op_fills_the_tables_that_outputs_ask(
    starters: tuple[str, ...], named: str | None
) -> None:
    draft = served(*starters)
    found = draft.collections.get("saved_model_main_op", CollectionDef())
    assert list(found.node_list.value) == ([] if named is None else [named])
    assert not draft.added_nodes()


def test_several_are_grouped() -> None:
    draft = Draft(parse_sketch(f"{MODEL}again = LookupTableImportV2(table, keys, keys)\n"))
    draft.apply(SetCollection("table_initializer", nodes("fill", "again")))
    run(draft, [Serve(SERVED, ("serve",))])
    (name,) = draft.collections["saved_model_main_op"].node_list.value
    assert list(draft.graph.nodes[name].input) == ["^fill", "^again"]


def test_a_main_op_that_is_there_stays() -> None:
    draft = served("fill", main="fill_other")
    assert "saved_model_main_op" not in draft.collections
