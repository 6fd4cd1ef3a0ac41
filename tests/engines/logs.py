"""What the tests of all start-up logs share: reading one, and the laws that bind every engine's reader."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from askew.collectors import logs
from askew.engines.live import Log
from askew.evidence.redaction import Redactor
from askew.evidence.told import Told
from askew.facts.types import Value
from askew.resolve.observation import Observation
from askew.resolve.resolve import resolve

SOURCE = "startup.log"


def excerpt(name: str) -> str:
    """A small log of our own making: ``engine/name``."""
    engine, _, log = name.partition("/")
    return (Path(__file__).parent / engine / "logs" / f"{log}.log").read_text(encoding="utf-8")


def told(text: str) -> Told:
    return Told(kind="log", name=SOURCE, source=SOURCE, text=logs.clean(text, Redactor(b"k" * 32)))


def observed(log: Log, text: str) -> tuple[Observation, ...]:
    return log.read(told(text))


def facts(log: Log, text: str) -> dict[str, Value]:
    """The facts of a log; entries of maps as ``fact[key]``."""
    found: dict[str, Value] = {}
    for key, one in resolve(observed(log, text)).items():
        found.update({f"{key}[{entry}]": held.value for entry, held in one.entries.items()})
        if not one.entries:
            found[key] = one.value
    return found


def line_of(log: Log, text: str, fact: str) -> int:
    """The line of the effective value."""
    one = resolve(observed(log, text))[fact]
    return one.locations[0].line


def obeys_the_laws(log: Log, text: str) -> None:
    """An engine's reader never raises, says where it saw each value, and reads nothing into a log that was cut."""
    full = observed(log, text)
    assert full and log.speaks(told(text))
    count = text.count("\n") + 1
    for one in full:
        assert one.basis == "seen" and one.origin in ("reported", "derived", "measured")
        assert one.locations and all(at.source == SOURCE and 0 < at.line <= count for at in one.locations)
    known = {(one.fact, one.key, repr(one.value)) for one in full}
    counted = {"hardware.gpu.count", "runtime.kv_cache.bytes"}  # of what the log shows up to its end, as it says

    @settings(max_examples=60)
    @given(st.integers(min_value=0, max_value=len(text)))
    def a_cut_log_says_no_more(end: int) -> None:
        cut = text[:end]
        log.speaks(told(cut))
        for one in observed(log, cut):
            so_far = one.fact in counted or (one.fact == "model.served_names" and one.confidence == "likely")
            assert so_far or (one.fact, one.key, repr(one.value)) in known, (one, cut[-200:])

    lines = text.splitlines(keepends=True)

    @settings(max_examples=60)
    @given(st.lists(st.sampled_from(lines), max_size=40), st.data())
    def no_lines_make_it_raise(some: list[str], data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(some)))
        noise = data.draw(st.text(max_size=200))
        mixed = "".join(some[:at]) + noise + "".join(line[: len(line) // 2] + "\n" for line in some[at:])
        log.speaks(told(mixed))
        log.read(told(mixed))

    a_cut_log_says_no_more()
    no_lines_make_it_raise()
