"""Partitioned variables, as their descriptions or their saver tell them."""

from pathlib import Path

import numpy as np
import pytest

from graphfreeze.api import load
from graphfreeze.model.partitions import DIV, MOD, find_strategies, stored_rows
from graphfreeze.model.tables import Part, Table, find_tables
from graphfreeze.model.variables import find_variables
from graphfreeze.read.sketch import parse_sketch

MODELS = Path(__file__).parents[2] / "testdata" / "models"
SIZES = {"partitioned_mod": MOD, "partitioned_div": DIV}


def table_of(name: str, *, described: bool = True) -> Table:
    model = load(MODELS / name)
    variables = model.variables
    if not described:
        variables = find_variables(model.graph, {})
    found = find_tables(model.graph, variables, model.saver_ops)
    return next(table for table in found if table.name == "table")


@pytest.mark.parametrize("described", [True, False], ids=["VariableDef", "saver"])
@pytest.mark.parametrize("name", SIZES)
def test_parts_of_a_table(name: str, *, described: bool) -> None:
    table = table_of(name, described=described)
    assert table.shape == (101, 8)
    assert table.is_partitioned
    assert [part.variable.name for part in table.parts] == [f"table/part_{i}" for i in range(4)]
    assert [part.offset for part in table.parts] == [(0, 0), (26, 0), (51, 0), (76, 0)]


@pytest.mark.parametrize(("name", "strategy"), SIZES.items())
def test_strategy_of_lookups(name: str, strategy: str) -> None:
    found = find_strategies(load(MODELS / name).graph, table_of(name))
    assert len(found) >= 4
    assert set(found.values()) == {strategy}


def test_a_single_variable_is_a_table() -> None:
    model = parse_sketch("w = VariableV2() {shape: [3, 2]}\ns = VariableV2() {shape: []}")
    (w, s) = model.variables
    tables = find_tables(model.graph, model.variables, None)
    assert tables == (Table("w", (3, 2), (Part(w, (0, 0)),)), Table("s", (), (Part(s, ()),)))
    assert not tables[0].is_partitioned
    assert find_strategies(model.graph, tables[0]) == {}


# as embedding_lookup spreads ids: 11 rows over 3 parts of 4, 4 and 3
STORED = {
    MOD: [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7],
    DIV: list(range(11)),
}


@pytest.mark.parametrize(("strategy", "stored"), STORED.items())
def test_stored_rows(strategy: str, stored: list[int]) -> None:
    (variable,) = parse_sketch("w = VariableV2() {shape: [4, 2]}").variables
    parts = tuple(Part(variable, (at, 0)) for at in (0, 4, 8))
    table = Table("table", (11, 2), parts)
    assert stored_rows(table, np.arange(11), strategy).tolist() == stored
