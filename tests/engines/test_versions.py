"""Releases as data: what they say, and that nothing is said of a release that is not there."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.engines import versions
from askew.engines.versions import Default, History, Metric

ENGINES = ("vllm", "sglang", "tgi")

# Four releases: --a changes in the second, goes in the third and comes back in the fourth.
SMALL = History(
    engine="e",
    source="https://example.org",
    releases=("1.0", "1.1", "2.0", "2.1"),
    arguments={
        "--a": (
            (0, Default(value=1, at="a.py:1")),
            (1, Default(value=2, at="a.py:5")),
            (2, None),
            (3, Default(value=3)),
        ),
        "--b": ((2, Default(value="x", at="b.py:7")),),
    },
    metrics={"m": ((1, Metric(hidden=True)), (3, None))},
)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_release_decodes(engine: str) -> None:
    names = versions.releases(engine)
    assert names
    assert list(names) == sorted(names, key=versions.release_key)
    for name in names:
        release = versions.load(engine, name)
        assert release is not None
        assert (release.engine, release.version) == (engine, name)
        assert release.arguments
        for argument, entry in release.arguments.items():
            assert argument.startswith(("-", "image ")), (name, argument)
            assert entry.at.rpartition(":")[2].isdigit(), (name, argument)
            began = entry.since or name
            assert versions.release_key(began) <= versions.release_key(name)
            assert str(release.where(entry)).startswith(f"{engine} {began} ")


def test_a_history_gives_each_release_its_own_state() -> None:
    values = [
        {name: entry.value for name, entry in SMALL.at(index).arguments.items()} for index in range(len(SMALL.releases))
    ]
    assert values == [{"--a": 1}, {"--a": 2}, {"--b": "x"}, {"--a": 3, "--b": "x"}]
    assert [bool(SMALL.at(index).metrics) for index in range(4)] == [False, True, True, False]
    assert str(SMALL.at(3).where(SMALL.at(3).arguments["--b"])) == "e 2.0 b.py:7"
    assert SMALL.spans("--a") == (("", "2.0"), ("2.1", ""))
    assert SMALL.spans("--b") == (("2.0", ""),)
    assert SMALL.spans("--never") == ()


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["--a", "--b", "--c"]), st.integers(0, 2), max_size=3), min_size=1, max_size=6
    )
)
def test_a_history_holds_exactly_what_the_releases_had(contents: list[dict[str, int]]) -> None:
    from tools.engines.releases import text

    names = [f"{index}.0" for index in range(len(contents))]
    whole = [
        {
            "arguments": {name: {"value": value} for name, value in one.items()},
            "variables": {},
            "metrics": {},
            "rules": {},
        }
        for one in contents
    ]
    history = msgspec.json.decode(text("e", "e", names, whole), type=History)  # type: ignore[arg-type]  # states are dicts
    for index, one in enumerate(contents):
        assert {name: entry.value for name, entry in history.at(index).arguments.items()} == one


def test_only_the_exact_release_is_loaded() -> None:
    assert versions.load("vllm", "v0.33.0") is not None
    assert versions.load("vllm", "0.33.1") is None
    assert versions.load("vllm", "../../../etc/passwd") is None
    assert versions.load("vllm", None) is None
    assert versions.load("no-such-engine", "1.0") is None
    assert versions.releases("no-such-engine") == ()
    assert versions.history("no-such-engine") is None


@pytest.mark.parametrize(
    ("version", "expected", "exact"),
    [
        ("0.8.5", "0.8.5", True),
        ("v0.8.5", "0.8.5", True),
        ("0.8.6", "0.8.5.post1", False),
        ("0.10.2.dev7", "0.10.1.1", False),
        ("99.0.0", "0.33.0", False),
        ("0.1.0", "0.2.7", False),
    ],
)
def test_the_nearest_release(version: str, expected: str, exact: bool) -> None:
    found = versions.nearest("vllm", version)
    assert found is not None
    assert (found[0].version, found[1]) == (expected, exact)


@pytest.mark.parametrize("version", [None, "", "latest", "nightly", "../x"])
def test_what_is_no_release_has_no_neighbour(version: str | None) -> None:
    assert versions.nearest("vllm", version) is None


def test_order_of_releases() -> None:
    ordered = ["0.9.2", "0.10.0rc1", "0.10.0", "0.10.0.post1", "0.10.1"]
    assert sorted(set(ordered), key=versions.release_key) == ordered


def test_broken_data_says_which_file_and_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "odd" / "versions").mkdir(parents=True)
    (tmp_path / "odd" / "versions" / "history.json").write_text('{"engine": "odd"}')
    monkeypatch.setattr(versions, "_HERE", str(tmp_path))
    with pytest.raises(versions.VersionsError, match=r"history\.json: .*Hint: reinstall"):
        versions.history("odd")


def test_the_data_is_small() -> None:
    folder = Path(versions.__file__).parent
    assert sum(path.stat().st_size for path in folder.glob("vllm/versions/*.json")) < 2**20


def test_every_history_decodes_whole_and_its_effects_name_what_it_has() -> None:
    from typing import get_args

    from askew.app import registry
    from askew.report.defaults import Effect

    for name in registry.engine_names():
        past = versions.history(name)
        if past is None:
            assert not versions.effects(name), name
            continue
        keys = [versions.release_key(one) for one in past.releases]
        assert all(keys) and len(set(past.releases)) == len(past.releases), name
        known = {*past.arguments, *past.variables}
        known |= {alias for steps in past.arguments.values() for _, state in steps if state for alias in state.names}
        for setting, effect in versions.effects(name).items():
            assert setting in known, f"{name} has no {setting}"
            assert set(effect.effects) <= set(get_args(Effect)), (name, setting)
        for query in versions.queries(name):
            assert query.metrics and query.address.startswith("https://"), query.what
