from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from math import ceil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.facts.values.errors import ValueNotUnderstood
from askew.facts.values.quantity import byte_size, bytes_, cores, count, docker_size, gib, nginx_size

GIB = 2**30


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("500m", 0.5),
        ("2", 2),
        (2, 2),
        (0.5, 0.5),
        ("1000m", 1),
        ("0.1", 0.1),
        ("1e3", 1000),
        ("100u", 0.001),
        ("1.0005", 1.001),
        ("0", 0),
        ("1k", 1000),
        (1e16, 10**16),
        ("2.", 2),
        (".5", 0.5),
        ("+1", 1),
    ],
)
def test_cores(text: object, expected: float) -> None:
    assert cores(text) == expected
    assert type(cores(text)) is type(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1Gi", GIB),
        ("0.5Gi", GIB // 2),
        ("1G", 10**9),
        ("1e3", 1000),
        ("128974848000m", 128974848),
        ("1m", 1),
        ("1E", 10**18),
        ("1E3", 1000),
        ("12P", 12 * 10**15),
        ("1Ei", 2**60),
        ("123Mi", 123 * 2**20),
        (1024, 1024),
        ("100Ei", 2**63 - 1),
        ("1e-9", 1),
        ("0.1Ki", 103),
    ],
)
def test_bytes(text: object, expected: int) -> None:
    assert bytes_(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Gi",
        "1 Gi",
        "1GiB",
        "1GB",
        "1K",
        "-1Gi",
        "1e",
        "1e99999999999",
        "0x10",
        "nan",
        "inf",
        "1_000",
        "١",
        "1Gi\n",
        "{{ .mem }}",
        "9" * 100_000,
        True,
        None,
        [],
        float("inf"),
        float("nan"),
        "1.2.3",
    ],
)
@pytest.mark.parametrize("parse", [cores, bytes_, count])
def test_no_quantity(parse: Callable[[object], float], text: object) -> None:
    with pytest.raises(ValueNotUnderstood, match="for example"):
        parse(text)


def test_hints_name_the_right_suffix() -> None:
    with pytest.raises(ValueNotUnderstood, match="write Gi or G"):
        bytes_("16GB")
    with pytest.raises(ValueNotUnderstood, match=r"k \(1000\) or Ki \(1024\)"):
        bytes_("16K")


def test_devices_are_whole() -> None:
    assert count("8") == count(8) == count("8000m") == 8
    with pytest.raises(ValueNotUnderstood, match="not divisible"):
        count("500m")


@given(st.integers(0, 10**12), st.integers(0, 9))
def test_decimals_are_exact(whole: int, places: int) -> None:
    exact = Fraction(whole, 10**places)
    text = f"{whole // 10**places}.{whole % 10**places:0{places}d}" if places else str(whole)
    assert bytes_(f"{text}Ki") == ceil(exact * 1024)
    assert bytes_(f"{text}M") == ceil(exact * 10**6)
    assert cores(text) == ceil(exact * 1000) / 1000


@given(st.integers(0, 10**9))
def test_spellings_of_one_amount_are_equal(number: int) -> None:
    assert cores(f"{number}") == cores(f"{number}000m") == cores(number) == number
    assert bytes_(f"{number}Ki") == bytes_(f"{number * 1024}") == bytes_(bytes_(f"{number}Ki"))


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_order_is_kept(a: int, b: int) -> None:
    assert (cores(f"{a}m") < cores(f"{b}m")) == (a < b)
    assert (bytes_(f"{a}Mi") < bytes_(f"{b}Mi")) == (a < b)


@given(st.floats(min_value=0.001, max_value=10**6, allow_nan=False))
def test_canonical_cores_read_back(number: float) -> None:
    canonical = cores(number)
    assert cores(canonical) == canonical


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8m", 8 * 2**20),
        ("8M", 8 * 2**20),
        ("1g", GIB),
        ("512k", 2**19),
        ("100", 100),
        (0, "unlimited"),
        ("0", "unlimited"),
    ],
)
def test_nginx(text: object, expected: object) -> None:
    assert nginx_size(text) == expected


@pytest.mark.parametrize("text", ["1.5m", "8mb", "8t", "", "-1", "m", True, None])
def test_no_nginx_size(text: object) -> None:
    with pytest.raises(ValueNotUnderstood):
        nginx_size(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("16gb", 16 * GIB),
        ("16g", 16 * GIB),
        ("20G", 20 * GIB),
        ("64m", 64 * 2**20),
        ("1GiB", GIB),
        ("1.5g", GIB * 3 // 2),
        ("64 MB", 64 * 2**20),
        (1024, 1024),
        ("1024b", 1024),
        ("-1", "unlimited"),
        (-1, "unlimited"),
        ("0", 0),
    ],
)
def test_docker(text: object, expected: object) -> None:
    assert docker_size(text) == expected


@pytest.mark.parametrize("text", ["16gbb", "16xb", "gb", "", "-2", "1ib", "${SHM}", True])
def test_no_docker_size(text: object) -> None:
    with pytest.raises(ValueNotUnderstood):
        docker_size(text)


def test_plain_sizes_need_a_unit_without_doubt() -> None:
    assert byte_size("81559 MiB") == 81559 * 2**20
    assert byte_size("80 GB") == 80 * 10**9
    assert byte_size("79.1GiB") == 791 * GIB // 10
    assert byte_size("512") == byte_size("512 bytes") == byte_size(512) == 512
    with pytest.raises(ValueNotUnderstood, match="GB is 1000"):
        byte_size("80g")


def test_gib() -> None:
    assert gib("4") == gib(4) == gib(4.0) == 4 * GIB
    assert gib("0.5") == GIB // 2
    with pytest.raises(ValueNotUnderstood, match="takes no unit"):
        gib("4Gi")


def test_every_quantity_in_the_corpus(shared: Path) -> None:
    line = re.compile(r"(?m)^\s*\"?(cpu|memory|ephemeral-storage|nvidia\.com/gpu)\"?: *\"?([0-9][^\s#\",]*)")
    parse: dict[str, Callable[[object], float]] = {"cpu": cores, "nvidia.com/gpu": count}
    seen, refused = set(), set()
    for path in (shared / "corpus" / "files").rglob("*.yaml"):
        for name, text in line.findall(path.read_text(errors="replace")):
            seen.add(text)
            try:
                parse.get(name, bytes_)(text.strip("'"))
            except ValueNotUnderstood:
                refused.add(text)
    assert len(seen) > 50
    assert refused <= {text for text in refused if "{" in text or "GB" in text}
