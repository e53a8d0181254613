"""What is told of where the values of a bundle come from: a JSON record."""

import msgspec


class ValuesRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle's checkpoint took of the source's, and what became of that one's files.

    ``files`` are ``linked``, ``rewritten`` for ``reasons``, each with the keys that it is for (none
    if it is for all), or ``new`` where the source has no checkpoint. ``keys_left`` keys of
    ``bytes_left`` bytes lie in linked files, and nothing restores them. ``renamed`` has the
    source's key by that of the bundle; ``excluded`` and ``initialized`` variables begin with their
    initializers, these because the source's checkpoint lacks them."""

    files: str
    reasons: dict[str, list[str]] = {}
    keys_left: int = 0
    bytes_left: int = 0
    renamed: dict[str, str] = {}
    excluded: list[str] = []
    initialized: list[str] = []
