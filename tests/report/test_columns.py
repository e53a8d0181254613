import pytest

from graphfreeze.report.columns import columns, count_text, share_text, size_text


def test_columns_are_as_wide_as_needed() -> None:
    rows = [("name", "", "count"), ("a" * 90, "", "1"), ("b", "", "1,000")]
    lines = [line.plain for line in columns(rows, right=(2,))]
    assert lines == [f"{'name':<90}  count", f"{'a' * 90}      1", f"{'b':<90}  1,000"]


@pytest.mark.parametrize(
    ("part", "whole", "told"),
    [
        (0, 10, "0.0%"),
        (10, 10, "100.0%"),
        (1, 3, "33.3%"),
        (1, 10**6, "<0.1%"),
        (10**6 - 1, 10**6, ">99.9%"),
        (0, 0, ""),
    ],
)
def test_share(part: int, whole: int, told: str) -> None:
    assert share_text(part, whole) == told


@pytest.mark.parametrize(
    ("size", "told"),
    [
        (1, "1 byte"),
        (1023, "1,023 bytes"),
        (1536, "1.5 KiB"),
        (5 << 30, "5.0 GiB"),
        (1 << 52, "4096.0 TiB"),
    ],
)
def test_size(size: int, told: str) -> None:
    assert size_text(size) == told


def test_count() -> None:
    assert [count_text(n, "variable") for n in (0, 1, 1200)] == [
        "0 variables",
        "1 variable",
        "1,200 variables",
    ]
