"""What every engine must hold to, whatever it serves."""

from __future__ import annotations

import re
from collections.abc import Sequence

from askew.engines.interface import Engine, Recognition
from askew.evidence.launch import Launch, Token
from askew.evidence.location import Location
from askew.facts.catalogue import FACTS
from askew.resolve.observation import Observation, Unknown
from askew.resolve.resolve import resolve

_PLACE = Location(source="conformance", line=1, column=1)

# Words that no engine expects, and shapes that break parsers of arguments.
ODD_WORDS: tuple[tuple[str, ...], ...] = (
    (),
    ("--",),
    ("--no-such-argument", "value"),
    ("--no-such-argument=",),
    ("-",),
    ("=",),
    ("--=",),
    ("a b c",),
    ("--model",),
    ("{", "}", "[1,", "'"),
    ("--port", "not-a-number"),
    ("$(HOSTNAME)", "${X:-1}"),
    ("\N{SNOWMAN}", "\x00", "\ud800"),
    ("--x" * 500,),
)


def launch(words: Sequence[str], image: str = "") -> Launch:
    """A launch of these words, as a platform would hand it on."""
    return Launch(
        argv=tuple(Token(word, _PLACE) for word in words),
        location=_PLACE,
        image=Token(image, _PLACE) if image else None,
        implicit_entrypoint=bool(image),
    )


def conforms(engine: Engine, recognition: Recognition) -> None:
    """Run the kit, with the command lines that the recognition says start the engine.

    Raises AssertionError: the name or patterns do not fit, a fact is unknown to the vocabulary, an observation is not
    canonical, reading raises or is not repeatable, or what is unsupported has no reason.
    """
    assert engine.name == recognition.name, f"{engine.name} is recognised as {recognition.name}"
    programs = [re.compile(pattern) for pattern in recognition.programs]
    for pattern in recognition.images:
        re.compile(pattern)
    for fact, reason in engine.unsupported.items():
        assert fact in FACTS, f"{engine.name} says that it has no {fact}, and no fact is called that"
        assert reason, f"{engine.name} has no {fact}, and does not say why"
    for key in FACTS:
        flag = engine.flag_for(key, None)
        assert flag is None or flag.strip(), f"{engine.name} sets {key} by an empty argument"
    assert recognition.starts, f"{engine.name} does not say how it is started"
    for text in recognition.starts:
        start = text.split()
        assert any(pattern.match(text) for pattern in programs), f"{engine.name} is not recognised in: {text}"
        assert any(hint in text for hint in recognition.hints), f"no hint of {engine.name} stands in: {text}"
        for words in ODD_WORDS:
            _reads(engine, launch((*start, *words)))


def _reads(engine: Engine, given: Launch) -> None:
    reading = engine.read(given)
    again = engine.read(given)
    same = (again.observations, again.problems) == (reading.observations, reading.problems)
    assert same, f"{engine.name} reads the same launch in two ways"
    for observation in reading.observations:
        canonical(engine.name, observation)
    for rule in reading.rules:
        for fact in (rule.fact, *rule.needs, *rule.uses):
            assert fact in FACTS, f"a rule of {engine.name} names {fact}, and no fact is called that"
    resolve(reading.observations, reading.rules)


def canonical(engine: str, observation: Observation) -> None:
    """Whether an observation states a fact of the vocabulary in its canonical form, or says why it is unknown. Raises
    AssertionError."""
    key, value = observation.fact, observation.value
    assert key in FACTS, f"{engine} states {key}, and no fact is called that"
    if isinstance(value, Unknown):
        assert value.reason, f"{engine} does not say why {key} is unknown"
        return
    kind = FACTS[key].type.of(observation.key)
    assert value is None or kind.parse(value) == value, f"{engine} states {key}={value!r}, which is not canonical"
