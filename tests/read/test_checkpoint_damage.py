"""A damaged checkpoint is refused with a LoadError of one line, on opening or on reading."""

import os
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from graphfreeze.errors import LoadError
from graphfreeze.read.checkpoint_values import CheckpointValues, open_values
from graphfreeze.read.table import open_table
from graphfreeze.schema import BundleHeaderProto, SavedTensorSlices, types_pb2

Messages = dict[bytes, object]
TABLE = np.arange(40, dtype=np.float32).reshape(10, 4)
BOXES = [(slice(0, 4), slice(None)), (slice(4, 10), slice(None))]


def tensors(tensor) -> dict[str, object]:
    return {
        "emb": tensor(TABLE, boxes=BOXES),
        "step": tensor(np.int64(7), types_pb2.DT_INT64),
        "table": tensor(TABLE),
    }


def read_key(values: CheckpointValues, key: str) -> None:
    shape = values.shapes[key]
    for chunk in values.read_chunks(key):
        assert chunk.shape[1:] == shape[1:]
    if shape and shape[0]:
        assert values.read_rows(key, np.array([0])).shape == (1, *shape[1:])


def is_read(prefix: Path) -> bool:
    """Read all; tell whether that went well. Nothing but a LoadError may come out."""
    try:
        values = open_values(prefix)
    except LoadError:
        return False
    read = 0
    for key in values.keys:
        with suppress(LoadError):
            read_key(values, key)
            read += 1
    return read == len(values.keys)


def slices_of(messages: Messages) -> list[bytes]:
    return [key for key in messages if key.startswith(b"\0")]


def resize(messages: Messages) -> None:
    messages[b"table"].size -= 4


def misplace(messages: Messages) -> None:
    messages[b"table"].offset = -4


def lengthen(messages: Messages) -> None:
    messages[b"table"].size += 1 << 40


def reshape(messages: Messages) -> None:
    messages[b"table"].shape.dim[0].size = 11


def turn_negative(messages: Messages) -> None:
    messages[b"table"].shape.dim[0].size = -10


def make_huge(messages: Messages) -> None:
    messages[b"table"].shape.dim[0].size = 0
    messages[b"table"].shape.dim[1].size = 1 << 62


def retype(messages: Messages) -> None:
    messages[b"table"].dtype = types_pb2.DT_DOUBLE


def drop_slice(messages: Messages) -> None:
    del messages[slices_of(messages)[0]]


def lead_out(messages: Messages) -> None:
    messages[b"emb"].slices[1].extent[0].start = 5


def add_axis(messages: Messages) -> None:
    messages[b"emb"].slices[1].extent.add()


def shrink_slice(messages: Messages) -> None:
    messages[slices_of(messages)[0]].shape.dim[0].size = 3


def swap_ends(messages: Messages) -> None:
    messages[b""].endianness = BundleHeaderProto.BIG


def no_shards(messages: Messages) -> None:
    messages[b""].num_shards = 0


def less_than_no_shards(messages: Messages) -> None:
    messages[b""].num_shards = -1


def too_many_shards(messages: Messages) -> None:
    messages[b""].num_shards = 2**31 - 1


def unknown_shard(messages: Messages) -> None:
    messages[b"table"].shard_id = 7


def no_header(messages: Messages) -> None:
    del messages[b""]


def no_message(messages: Messages) -> None:
    messages[b"table"] = b"\xff" * 9


def no_text(messages: Messages) -> None:
    messages[b"\xff\xfe"] = messages[b"table"]


NO_SENSE = "what its index says of '{}' makes no sense"
NO_INDEX = "m.index is damaged or no index"
TOO_MANY = "m.index tells of too many data files"
# what is done to the index, what is told
V2 = {
    "another size": (resize, NO_SENSE.format("table")),
    "a place before the file": (misplace, NO_INDEX),
    "a place behind the file": (lengthen, "its data file m.data-00000-of-00001 has"),
    "another shape": (reshape, NO_SENSE.format("table")),
    "a negative size": (turn_negative, NO_INDEX),
    "nothing, of a huge width": (make_huge, NO_INDEX),
    "another type": (retype, NO_SENSE.format("table")),
    "a slice that is missing": (drop_slice, NO_SENSE.format("emb")),
    "a slice that leads out": (lead_out, NO_SENSE.format("emb")),
    "a slice of another rank": (add_axis, NO_SENSE.format("emb")),
    "a slice of another shape": (shrink_slice, NO_SENSE.format("emb")),
    "big-endian": (swap_ends, "its numbers are big-endian"),
    "no data files": (no_shards, TOO_MANY),
    "less than none": (less_than_no_shards, TOO_MANY),
    "two thousand million": (too_many_shards, TOO_MANY),
    "a data file of another number": (unknown_shard, TOO_MANY),
    "no header": (no_header, NO_INDEX),
    "no message": (no_message, NO_INDEX),
    "a key that is no text": (no_text, NO_INDEX),
}


@pytest.mark.parametrize(("spoil", "told"), V2.values(), ids=V2)
def test_v2(spoil: Callable[[Messages], None], told: str, writer, tensor, tmp_path: Path) -> None:
    messages, data = writer.v2_files(tensors(tensor), 1)
    spoil(messages)
    writer.table(tmp_path / "m.index", messages)
    writer.data(tmp_path / "m", data)
    with pytest.raises(LoadError, match=told) as caught:
        open_values(tmp_path / "m")
    assert len(str(caught.value).splitlines()) == 1


def part(messages: Messages, name: str) -> object:
    """Return what a V1 file says of a variable."""
    return next(each for each in messages[b""].meta.tensor if each.name == name)


def numbers_of(messages: Messages, name: str) -> object:
    """Return the message with a variable's numbers."""
    return next(m for key, m in messages.items() if key and m.data.name == name).data.data


def old_no_list(messages: Messages) -> None:
    messages[b""] = SavedTensorSlices()


def old_no_start(messages: Messages) -> None:
    del messages[b""]


def old_lead_out(messages: Messages) -> None:
    part(messages, "emb").slice[0].extent[0].length = 11


def old_huge(messages: Messages) -> None:
    part(messages, "table").shape.dim[1].size = 1 << 40


def old_two_types(messages: Messages) -> None:
    part(messages, "emb").type = types_pb2.DT_DOUBLE


V1_OPEN = {
    "no list of variables": old_no_list,
    "no key with it": old_no_start,
    "a slice that leads out": old_lead_out,
    "more numbers than the file can hold": old_huge,
    "files that do not agree": old_two_types,
}


@pytest.mark.parametrize("spoil", V1_OPEN.values(), ids=V1_OPEN)
def test_v1(spoil: Callable[[Messages], None], writer, tensor, tmp_path: Path) -> None:
    files = writer.v1_files(tensors(tensor), 2)
    spoil(files[0])
    for number, messages in enumerate(files):
        writer.table(tmp_path / f"m-0000{number}-of-00002", messages)
    told = r"\(m-0000[01]-of-00002 is damaged or of no format that is known\)"
    with pytest.raises(LoadError, match=told):
        open_values(tmp_path / "m")


def old_fewer(messages: Messages) -> None:
    del numbers_of(messages, "table").float_val[-1]


def old_more_rows(messages: Messages) -> None:
    part(messages, "table").shape.dim[0].size = 11


def old_other_field(messages: Messages) -> None:
    part(messages, "table").type = types_pb2.DT_INT32


def old_odd_type(messages: Messages) -> None:
    part(messages, "table").type = types_pb2.DT_COMPLEX128


def old_gone(messages: Messages) -> None:
    del messages[next(k for k, m in messages.items() if k and m.data.name == "table")]


def old_split_field(messages: Messages) -> None:
    key = next(k for k, m in messages.items() if k and m.data.name == "table")
    messages[key] = messages[key].SerializeToString() * 2


V1_READ = {
    "a number too few": old_fewer,
    "a row too few": old_more_rows,
    "numbers of another type": old_other_field,
    "numbers of no type": old_odd_type,
    "no numbers": old_gone,
    "numbers in two places": old_split_field,
}


@pytest.mark.parametrize("spoil", V1_READ.values(), ids=V1_READ)
def test_v1_numbers(spoil: Callable[[Messages], None], writer, tensor, tmp_path: Path) -> None:
    files = writer.v1_files(tensors(tensor), 1)
    spoil(files[0])
    writer.table(tmp_path / "m", files[0])
    values = open_values(tmp_path / "m")
    assert np.concatenate(list(values.read_chunks("emb"))).tolist() == TABLE.tolist()
    with pytest.raises(LoadError, match="values in m are damaged"):
        next(values.read_chunks("table"))


LEAVES = {
    "a gap": BOXES[:1],
    "an overlap": [BOXES[0], (slice(3, 10), slice(None))],
    "an overlap and a gap": [BOXES[0], (slice(2, 8), slice(None))],
    "a slice twice": [BOXES[0], BOXES[1], BOXES[1]],
    "a corner": [BOXES[0], (slice(4, 10), slice(0, 3))],
}


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("boxes", LEAVES.values(), ids=LEAVES)
def test_slices_that_are_no_whole(version, boxes, writer, tensor, tmp_path: Path) -> None:
    getattr(writer, version)(tmp_path / "m", {"emb": tensor(TABLE, boxes=boxes)})
    values = open_values(tmp_path / "m")
    assert values.shapes == {"emb": (10, 4)}
    for read in (lambda: next(values.read_chunks("emb")), lambda: values.read_rows("emb", ROW)):
        with pytest.raises(LoadError, match=r"'emb' cannot be read .its slices leave gaps or ov"):
            read()


ROW = np.array([0])


def test_files_that_change_meanwhile(writer, tensor, tmp_path: Path) -> None:
    writer.v2(tmp_path / "new", {"emb": tensor(TABLE)})
    writer.v1(tmp_path / "old", {"emb": tensor(TABLE)})
    new, old = open_values(tmp_path / "new"), open_values(tmp_path / "old")
    os.truncate(tmp_path / "new.data-00000-of-00001", 100)
    assert next(new.read_chunks("emb", stop=3)).tolist() == TABLE[:3].tolist()
    with pytest.raises(LoadError, match="data-00000-of-00001 has 100 bytes of 161"):
        next(new.read_chunks("emb"))
    (tmp_path / "new.data-00000-of-00001").unlink()
    with pytest.raises(LoadError, match=r"cannot be read .No such file"):
        next(new.read_chunks("emb"))
    os.truncate(tmp_path / "old", 50)
    with pytest.raises(LoadError, match="values in old are damaged"):
        next(old.read_chunks("emb"))
    (tmp_path / "old").unlink()
    with pytest.raises(LoadError, match=r"cannot be read .No such file"):
        next(old.read_chunks("emb"))


@pytest.mark.parametrize("packs", [False, True], ids=["plain", "Snappy"])
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_bits_flipped(version: str, packs: bool, writer, tensor, tmp_path: Path) -> None:
    getattr(writer, version)(tmp_path / "m", tensors(tensor), packs=packs)
    path = tmp_path / ("m" if version == "v1" else "m.index")
    raw, chance, refused = path.read_bytes(), random.Random(version), 0
    for _ in range(500):
        damaged = bytearray(raw)
        for _ in range(chance.choice([1, 1, 2, 5])):
            damaged[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        refused += not is_read(tmp_path / "m")
    assert refused > 100


def flipped(message: object, chance: random.Random) -> bytes:
    raw = bytearray(message.SerializeToString())
    for _ in range(chance.choice([1, 2])):
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
    return bytes(raw)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_bits_flipped_in_a_message(version: str, writer, tensor, tmp_path: Path) -> None:
    """Go past the table, which most damage makes unreadable as a whole."""
    chance = random.Random(version)
    messages, data = writer.v2_files(tensors(tensor), 1)
    if version == "v1":
        messages = writer.v1_files(tensors(tensor), 1)[0]
    else:
        writer.data(tmp_path / "m", data)
    refused = 0
    for _ in range(500):
        key = chance.choice(sorted(messages))
        path = tmp_path / ("m" if version == "v1" else "m.index")
        writer.table(path, {**messages, key: flipped(messages[key], chance)})
        refused += not is_read(tmp_path / "m")
    assert refused > 100


def test_any_cut_of_v1(writer, tensor, tmp_path: Path) -> None:
    writer.v1(tmp_path / "m", tensors(tensor))
    raw = (tmp_path / "m").read_bytes()
    for end in range(0, len(raw), 3):
        for tail in (b"", raw[-48:]):
            if end + len(tail) < len(raw):
                (tmp_path / "m").write_bytes(raw[:end] + tail)
                with pytest.raises(LoadError, match="is damaged or of no format"):
                    open_values(tmp_path / "m")


def test_a_table_finds_its_keys(writer, tmp_path: Path) -> None:
    entries = {bytes([number, number]): b"value" for number in range(0, 200, 2)}
    writer.table(tmp_path / "t", entries)
    table = open_table(tmp_path / "t")
    assert dict(table.entries()) == entries
    for number in range(256):
        key = bytes([number, number])
        assert table.find(key) == entries.get(key)
