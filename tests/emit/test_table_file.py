"""Tables that are written are read back, with the checksums that TensorFlow looks at."""

from pathlib import Path

import pytest

from graphfreeze.emit.table_file import crc32c, write_index, write_table
from graphfreeze.read.checkpoint_index import read_index
from graphfreeze.read.table import open_table

MODELS = Path(__file__).parents[2] / "testdata" / "models"
CONTENTS = {
    "nothing": {},
    "the empty key": {b"": b"header"},
    "unsorted": {b"b": b"2", b"a/long/key" * 30: b"x" * 1000, b"\0\xff": b""},
}


@pytest.mark.parametrize("values", CONTENTS.values(), ids=CONTENTS)
def test_round_trip(values: dict[bytes, bytes], tmp_path: Path) -> None:
    write_table(tmp_path / "t", values)
    found = list(open_table(tmp_path / "t").entries())
    assert found == sorted(values.items())
    for key, value in values.items():
        assert open_table(tmp_path / "t").find(key) == value


def test_checksums_are_those_of_the_standard() -> None:
    """Compare with RFC 3720, B.4."""
    assert crc32c(b"\0" * 32) == 0x8A9136AA
    assert crc32c(bytes(range(32))) == 0x46DD794E


def test_keys_are_left_out_with_their_slices(tmp_path: Path) -> None:
    prefix = next((MODELS / "partitioned_mod").glob("*.index")).with_suffix("")
    index = read_index(prefix)
    gone = next(key for key in index.shapes if index.entries[key.encode()].slices)
    slices = len(index.entries[gone.encode()].slices)
    write_index(index, tmp_path / "m.index", [gone])
    for shard in index.shards:
        (tmp_path / shard.name.replace(prefix.name, "m")).symlink_to(shard)
    less = read_index(tmp_path / "m")
    assert less.shapes == {key: shape for key, shape in index.shapes.items() if key != gone}
    assert len(less.entries) == len(index.entries) - 1 - slices
    assert less.header == index.header
