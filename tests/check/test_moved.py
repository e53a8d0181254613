"""Two checkpoints and a record: which frozen entries moved, where, by how much."""

import importlib.util
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from graphfreeze.check import bit_counts
from graphfreeze.check.moved import check_values, find_prefix
from graphfreeze.errors import CheckError, LoadError
from graphfreeze.model.frozen_mask import encode_mask
from graphfreeze.model.records import FreezeRecord, VariableRecord
from graphfreeze.model.verify_records import FAILED, PASSED, ChangeRecord
from graphfreeze.read import checkpoint_values
from graphfreeze.schema import types_pb2

Arrays = dict[str, np.ndarray]
TYPES = {
    "float16": types_pb2.DT_HALF,
    "float32": types_pb2.DT_FLOAT,
    "float64": types_pb2.DT_DOUBLE,
    "complex64": types_pb2.DT_COMPLEX64,
    "complex128": types_pb2.DT_COMPLEX128,
    "uint16": types_pb2.DT_BFLOAT16,
}


def load_writer() -> ModuleType:
    """Load what the tests of reading write checkpoints with."""
    path = Path(__file__).parents[1] / "read" / "conftest.py"
    spec = importlib.util.spec_from_file_location("checkpoint_writer", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FILES = load_writer()


def write(prefix: Path, arrays: Arrays, version: str = "v2") -> Path:
    tensors = {k: FILES.Tensor(a, TYPES.get(a.dtype.name, 1)) for k, a in arrays.items()}
    getattr(FILES.Writer(), version)(prefix, tensors)
    return prefix


def variable(name: str, shape: list[int], state: str, **more: object) -> VariableRecord:
    told: dict[str, object] = {"kind": "ref", "dtype": "float32", "parameters": None, **more}
    return VariableRecord(name=name, shape=shape, state=state, **told)  # type: ignore[arg-type]


def record_of(*variables: VariableRecord, **more: object) -> FreezeRecord:
    counts = ("nodes", "producer", "nodes_added", "nodes_changed", "nodes_removed")
    lists = ("stopped_tensors", "keys_added", "keys_dropped", "losses", "newer_ops")
    nothing = ("train_op", "optimizer", "learning_rate", "global_step")
    told: dict[str, object] = dict.fromkeys(counts, 0) | {key: [] for key in lists}
    told |= dict.fromkeys(nothing) | dict.fromkeys(("graphfreeze", "source", "source_sha256"), "")
    told |= {"format": "", "operations_added": {}, "variables": list(variables)}
    return FreezeRecord(**{**told, **more})  # type: ignore[arg-type]


def table(*shape: int) -> np.ndarray:
    return np.arange(1, 1 + np.prod(shape), dtype=np.float32).reshape(shape)


def put(array: np.ndarray, *changes: tuple[tuple[int, ...], float]) -> np.ndarray:
    """Return a copy with other values at some places."""
    new = array.copy()
    for place, value in changes:
        new[place] = value
    return new


W = table(6, 2)
ROWS = variable("w", [6, 2], "partly frozen", frozen_ranges=[[0, 2], [4, 6]])


@dataclass(frozen=True)
class Case:
    """A variable before and after, and what is told: changes, and words of the failure."""

    told: VariableRecord
    before: np.ndarray
    after: np.ndarray
    changes: list[tuple[object, ...]]
    failure: str = ""
    more: dict[str, object] = field(default_factory=dict)


# changes are state, elements, moved, rows, first, largest
CASES = {
    "what is frozen stays": Case(
        variable("w", [6, 2], "frozen"), W, W, [("frozen", 12, 0, 0, None, 0.0)]
    ),
    "what is frozen moved": Case(
        variable("w", [6, 2], "frozen"),
        W,
        put(W, ((3, 1), 7.5), ((3, 0), 7.25), ((5, 0), 10.5)),
        [("frozen", 12, 3, 2, [3, 0], 0.5)],
        "3 of 12 frozen entries of w moved, the first at [3, 0]; largest change 0.5",
    ),
    "the rows that learn moved": Case(
        ROWS,
        W,
        put(W, ((2, 1), 0.0), ((3, 0), 0.0)),
        [("frozen", 8, 0, 0, None, 0.0), ("trainable", 4, 2, 2, [2, 1], 7.0)],
    ),
    "a frozen row moved": Case(
        ROWS,
        W,
        put(W, ((2, 1), 0.0), ((4, 1), 11.0)),
        [("frozen", 8, 1, 1, [4, 1], 1.0), ("trainable", 4, 1, 1, [2, 1], 6.0)],
        "1 of 8 frozen entries of w moved, the first at [4, 1]; largest change 1",
    ),
    "a column moved": Case(
        variable("w", [6, 2], "partly frozen", frozen_along={1: [[1, 2]]}),
        W,
        put(W, ((5, 1), 0.0)),
        [("frozen", 6, 1, 1, [5, 1], 12.0), ("trainable", 6, 0, 0, None, 0.0)],
        "1 of 6 frozen entries of w moved, the first at [5, 1]; largest change 12",
    ),
    "an element moved": Case(
        variable("w", [6, 2], "partly frozen", element_mask=encode_mask(W % 5 == 0)),
        W,
        put(W, ((4, 1), 9.0)),
        [("frozen", 2, 1, 1, [4, 1], 1.0), ("trainable", 10, 0, 0, None, 0.0)],
        "1 of 2 frozen entries of w moved, the first at [4, 1]; largest change 1",
    ),
    "the sign of zero": Case(
        variable("w", [2], "frozen"),
        np.array([0.0, 1.0], np.float32),
        np.array([-0.0, 1.0], np.float32),
        [("frozen", 2, 1, 1, [0], 0.0)],
        "1 of 2 frozen entries of w moved, the first at [0]; largest change 0",
    ),
    "the same NaN": Case(
        variable("w", [2], "frozen"),
        np.array([np.nan, 1.0], np.float32),
        np.array([np.nan, 1.0], np.float32),
        [("frozen", 2, 0, 0, None, 0.0)],
    ),
    "another NaN": Case(
        variable("w", [2], "frozen"),
        np.array([0x7FC00001, 0], np.uint32).view(np.float32),
        np.array([0x7FC00002, 0], np.uint32).view(np.float32),
        [("frozen", 2, 1, 1, [0], None)],
        "1 of 2 frozen entries of w moved, the first at [0]; largest change not a number",
    ),
    "one became infinite, another moved": Case(
        variable("w", [2], "frozen"),
        np.array([1, 2], np.float32),
        np.array([np.inf, 1], np.float32),
        [("frozen", 2, 2, 2, [0], None)],
        "2 of 2 frozen entries of w moved",
    ),
    "a scalar": Case(
        variable("w", [], "frozen"),
        np.float32(1).reshape(()),
        np.float32(3).reshape(()),
        [("frozen", 1, 1, None, [], 2.0)],
        "1 of 1 frozen entries of w moved; largest change 2",
    ),
    "a part": Case(
        variable(
            "w/part_1",
            [2, 2],
            "partly frozen",
            frozen_ranges=[[1, 2]],
            partition_of="w",
            part_offset=[3, 0],
        ),
        W,
        put(W, ((4, 0), 8.0), ((2, 0), 0.0)),
        [("frozen", 2, 1, 1, [1, 0], 1.0), ("trainable", 2, 0, 0, None, 0.0)],
        "1 of 2 frozen entries of w/part_1 moved, the first at [1, 0]; largest change 1",
    ),
    "a part of the columns": Case(
        variable("w/part_1", [6, 1], "frozen", partition_of="w", part_offset=[0, 1]),
        W,
        put(W, ((4, 0), 8.0), ((2, 1), 0.0)),
        [("frozen", 6, 1, 1, [2, 0], 6.0)],
        "1 of 6 frozen entries of w/part_1 moved, the first at [2, 0]; largest change 6",
    ),
    "a table under an overlay, merged": Case(
        variable(
            "w",
            [6, 2],
            "partly frozen",
            frozen_ranges=[[0, 2], [4, 6]],
            strategy="overlay",
            overlay_rows="w/graphfreeze/rows",
        ),
        W,
        put(W, ((2, 1), 0.0)),
        [("frozen", 8, 0, 0, None, 0.0), ("trainable", 4, 1, 1, [2, 1], 6.0)],
    ),
    "rows without a gradient": Case(
        variable("w", [6, 2], "not reached", frozen_ranges=[[0, 2]]),
        W,
        put(W, ((0, 0), 0.0)),
        [("frozen", 4, 1, 1, [0, 0], 1.0), ("trainable", 8, 0, 0, None, 0.0)],
        "1 of 4 frozen entries of w moved",
    ),
    "what learns": Case(
        variable("w", [6, 2], "trainable"), W, W + 1, [("trainable", 12, 12, 6, [0, 0], 1.0)]
    ),
    "what is kept updating": Case(variable("w", [6, 2], "updated"), W, W + 1, []),
    "what never learnt": Case(variable("w", [6, 2], "not trainable"), W, W + 1, []),
    "a row that was given a value": Case(
        ROWS,
        W,
        put(W, ((0, 0), 9.0)),
        [("frozen", 8, 1, 1, [0, 0], 8.0), ("trainable", 4, 0, 0, None, 0.0)],
        "the freeze gave some of it other values: compare with the bundle's own checkpoint",
        {"keys_changed": ["w"]},
    ),
    "a table that grew": Case(
        ROWS,
        W[:4],
        W,
        [],
        "w has another shape or type in",
        {"keys_changed": ["w"]},
    ),
    "a table of another height": Case(
        variable("w", [7, 2], "frozen"),
        W,
        W,
        [],
        "w has shape [6, 2], not [7, 2] as in the record",
    ),
    "two bytes": Case(
        variable("w", [2], "frozen"),
        np.array([1, 2], np.float16),
        np.array([1, 2.5], np.float16),
        [("frozen", 2, 1, 1, [1], 0.5)],
        "largest change 0.5",
    ),
    "bits of bfloat16": Case(
        variable("w", [2], "frozen"),
        np.array([0x3F80, 0x4000], np.uint16),
        np.array([0x3F80, 0x4040], np.uint16),
        [("frozen", 2, 1, 1, [1], 1.0)],
        "largest change 1",
    ),
    "sixteen bytes": Case(
        variable("w", [2], "frozen"),
        np.array([1, 2 + 1j], np.complex128),
        np.array([1, 2 + 4j], np.complex128),
        [("frozen", 2, 1, 1, [1], 3.0)],
        "largest change 3",
    ),
}


def told(change: ChangeRecord) -> tuple[object, ...]:
    where = (change.state, change.elements, change.moved, change.rows)
    return (*where, change.first, change.largest)


@pytest.mark.parametrize("chunk", [1 << 22, 12], ids=["at once", "row by row"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_values(case: Case, chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint_values, "_CHUNK", chunk)
    before = write(tmp_path / "a", {"w": case.before})
    after = write(tmp_path / "b", {"w": case.after})
    section, changes = check_values(record_of(case.told, **case.more), before, after)
    assert [told(change) for change in changes] == case.changes
    assert {change.name for change in changes} <= {case.told.name}
    assert section.status == (FAILED if case.failure else PASSED)
    assert len(section.failures) == bool(case.failure)
    assert all(case.failure in failure for failure in section.failures)


@pytest.mark.parametrize("versions", [("v1", "v1"), ("v1", "v2"), ("v2", "v1")])
def test_both_formats(versions: tuple[str, str], tmp_path: Path) -> None:
    pair = zip("ab", (W, put(W, ((4, 1), 11.0))), versions, strict=True)
    before, after = (write(tmp_path / name, {"w": a}, version) for name, a, version in pair)
    section, changes = check_values(record_of(ROWS), before, after)
    assert section.status == FAILED
    assert told(changes[0]) == ("frozen", 8, 1, 1, [4, 1], 1.0)


FROZEN, LEARNING = variable("w", [6, 2], "frozen"), variable("v", [6, 2], "trainable")


def test_nothing_that_learns_differs(tmp_path: Path) -> None:
    prefix = write(tmp_path / "a", {"w": W, "v": W})
    section, _ = check_values(record_of(FROZEN, LEARNING), prefix, prefix)
    assert (section.status, len(section.notes)) == (PASSED, 1)
    assert "nothing that is trainable differs" in section.notes[0]


# keys before and after, further fields of the record, and the error, else the failures and notes
MISSING = {
    "after": ("wv", "v", {}, "the checkpoint lacks w, which the record says is frozen"),
    "before": ("v", "wv", {}, "the checkpoint lacks w, which the record says is frozen"),
    "before, of the freeze's own": (
        "v",
        "wv",
        {"keys_added": ["w"]},
        (["w is not in {before}; compare with the bundle's own checkpoint"], 0),
    ),
    "what learns": ("w", "wv", {}, ([], 1)),
}


@pytest.mark.parametrize(("before", "after", "more", "wanted"), MISSING.values(), ids=MISSING)
def test_missing(
    before: str,
    after: str,
    more: dict[str, object],
    wanted: str | tuple[list[str], int],
    tmp_path: Path,
) -> None:
    first = write(tmp_path / "a", dict.fromkeys(before, W))
    last = write(tmp_path / "b", dict.fromkeys(after, W + 1) | ({"w": W} if "w" in after else {}))
    record = record_of(FROZEN, LEARNING, **more)
    if isinstance(wanted, str):
        with pytest.raises(CheckError) as caught:
            check_values(record, first, last)
        assert wanted in str(caught.value)
        return
    section, _ = check_values(record, first, last)
    assert section.failures == [text.format(before=first) for text in wanted[0]]
    assert len(section.notes) == wanted[1]


def test_where_a_checkpoint_is(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    prefix = write(tmp_path / "folder" / "model.ckpt-7", {"w": W})
    old = write(tmp_path / "old", {"w": W}, "v1")
    (tmp_path / "folder" / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-7"\n')
    (tmp_path / "saved" / "variables").mkdir(parents=True)
    saved = write(tmp_path / "saved" / "variables" / "variables", {"w": W})
    places = {
        prefix: prefix,
        prefix.parent: prefix,
        Path(f"{prefix}.index"): prefix,
        Path(f"{prefix}.meta"): prefix,
        Path(f"{prefix}.data-00000-of-00001"): prefix,
        old: old,
        tmp_path / "saved": saved,
    }
    assert {place: find_prefix(place) for place in places} == places


@pytest.mark.parametrize("place", ["nothing", "empty", "text.txt"])
def test_no_checkpoint(place: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").write_text("no table")
    with pytest.raises(CheckError, match="no checkpoint; name its prefix"):
        find_prefix(tmp_path / place)


def test_a_damaged_checkpoint(tmp_path: Path) -> None:
    prefix = write(tmp_path / "a", {"w": W})
    data = Path(f"{prefix}.data-00000-of-00001")
    data.write_bytes(data.read_bytes()[:-1])
    with pytest.raises(LoadError):
        check_values(record_of(FROZEN), prefix, prefix)


def test_tables_are_never_whole_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Count the elements that are compared at once."""
    sizes: list[int] = []
    count_moved = bit_counts.count_moved

    def counted(*given: object, **more: object) -> None:
        sizes.append(given[2][0].size)  # type: ignore[index]
        count_moved(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(bit_counts, "count_moved", counted)
    prefix = write(tmp_path / "a", {"w": table(60_000, 50)})
    told = variable("w", [60_000, 50], "partly frozen", frozen_ranges=[[0, 30_000]])
    _, changes = check_values(record_of(told), prefix, prefix)
    assert [change.elements for change in changes] == [1_500_000, 1_500_000]
    assert max(sizes) <= 1 << 20
