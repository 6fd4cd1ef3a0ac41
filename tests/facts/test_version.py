from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from askew.facts.values.errors import ValueNotUnderstood
from askew.facts.values.version import compare, floating, image_tag_series, image_tag_version, same, version

PEP440 = st.builds(
    lambda release, pre, post, dev: ".".join(map(str, release)) + pre + post + dev,
    st.lists(st.integers(0, 30), min_size=1, max_size=4),
    st.sampled_from(["", "a1", "b2", "rc1", "rc2"]),
    st.sampled_from(["", ".post1", ".post2"]),
    st.sampled_from(["", ".dev0", ".dev3"]),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("v0.8.5", "0.8.5"), ("0.8.5.post1", "0.8.5.post1"), ("0.8.5-post1", "0.8.5.post1"), ("0.9.0-rc.1", "0.9.0rc1"),
        ("0.9.0RC1", "0.9.0rc1"), ("0.6.3.post2.dev171+g890ca360", "0.6.3.post2.dev171+g890ca360"), ("25.01", "25.01"),
        ("0.8.5+cu124", "0.8.5+cu124"), ("b4567", "b4567"), (" V1.2 ", "1.2"), ("2.0.0-beta", "2.0.0b0"),
    ],
)  # fmt: skip
def test_canonical(text: str, expected: str) -> None:
    assert version(text) == expected
    assert version(expected) == expected


@pytest.mark.parametrize(
    "text", ["", "latest", "sha-abc", "1..2", "v", "1.2.3-cu124", "{{ v }}", None, 1.2, "1" * 10_000]
)
def test_no_version(text: object) -> None:
    with pytest.raises(ValueNotUnderstood, match=r"for example 0\.8\.5"):
        version(text)


@given(PEP440, PEP440)
def test_order_is_that_of_pep_440(a: str, b: str) -> None:
    left, right = Version(a), Version(b)
    assert compare(a, b) == (left > right) - (left < right)
    assert same(a, b) == (left == right)


@given(PEP440)
def test_canonical_means_the_same(text: str) -> None:
    assert Version(version(f"v{text}")) == Version(text)
    assert version(version(text)) == version(text)


def test_same() -> None:
    assert same("0.8", "v0.8.0")
    assert same("0.8.5+cu121", "0.8.5")
    assert not same("0.8.5", "0.8.5.post1")
    assert not same("0.9.0.dev1+gabc", "0.9.0.dev1+gdef")
    assert same("custom", "custom")
    assert not same("custom", "0.8.5")
    assert not same("b4567", "4567")


def test_builds_compare_with_builds() -> None:
    assert compare("b4567", "b5000") == -1
    with pytest.raises(ValueNotUnderstood, match="comparable"):
        compare("b4567", "0.8.5")


@pytest.mark.parametrize(
    ("tag", "exact", "series", "moves"),
    [
        ("v0.8.5", "0.8.5", None, "fixed"),
        ("v0.8.5-cu121", "0.8.5", None, "fixed"),
        ("0.8.5.post1-cu124-srt", "0.8.5.post1", None, "fixed"),
        ("v0.5.5.post3-cu129-amd64", "0.5.5.post3", None, "fixed"),
        ("3.3.4-rocm", "3.3.4", None, "fixed"),
        ("v0.18.0-rc1-gpu", "0.18.0rc1", None, "fixed"),
        ("v0.13.0rc3-a3", "0.13.0rc3", None, "fixed"),
        ("v0.11.0-a3", "0.11.0", None, "fixed"),
        ("3.5.14-r1", "3.5.14", None, "fixed"),
        ("2.52.0-py311-cu128", "2.52.0", None, "fixed"),
        ("v0.10.0-cu128-nixl-v0.4.1-lmcache-0.3.2", "0.10.0", None, "fixed"),
        ("server-cuda-b4567", "b4567", None, "fixed"),
        ("turing-1.8.2", "1.8.2", None, "fixed"),
        ("89-1.8", None, "1.8", "partial"),
        ("cpu-1.7", None, "1.7", "partial"),
        ("0.8", None, "0.8", "partial"),
        ("v0", None, "0", "partial"),
        ("3.11-slim", None, "3.11", "partial"),
        ("v0.2.4.post1-dev", None, None, "floating"),
        ("latest", None, None, "floating"),
        ("latest-py311-cpu", None, None, "floating"),
        ("main", None, None, "floating"),
        ("nightly", None, None, "floating"),
        ("server-cuda", None, None, "floating"),
        ("gpu", None, None, "floating"),
        ("nightly-" + "0a1b2c3d" * 5, None, None, "fixed"),
        ("sha-0a1b2c3", None, None, "fixed"),
        ("25.09-py3", None, None, "fixed"),
        ("26.06-trtllm-python-py3", None, None, "fixed"),
        ("v20251106-v1.3.0-263-g47c3435c", None, None, "fixed"),
        ("2025-05-05-v1", None, None, "fixed"),
        ("RELEASE.2023-03-20T20-16-18Z", None, None, "fixed"),
        ("rocm6.2_mi300_ubuntu20.04_py3.9_vllm_0.6.4", None, None, "fixed"),
        ("3b", None, None, "fixed"),
    ],
)
def test_tags(tag: str, exact: str | None, series: str | None, moves: str) -> None:
    assert image_tag_version(tag) == exact
    assert image_tag_series(tag) == series
    assert floating(tag) == moves


def test_no_tag_means_latest() -> None:
    assert floating(None) == floating("") == "floating"


@given(st.text(max_size=300))
def test_any_tag_gets_an_answer(tag: str) -> None:
    assert floating(tag) in ("fixed", "floating", "partial")
    found = image_tag_version(tag)
    assert found is None or version(found) == found
    assert found is None or image_tag_series(tag) is None
