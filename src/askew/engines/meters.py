"""What an engine's metrics state: its table of meters over the series that it gave, as observations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from askew.engines.figures import Figure, Index, canonical, figures
from askew.engines.live import Meter, Meters, Stated
from askew.evidence.location import Location
from askew.evidence.scrapes import Scrapes
from askew.facts.catalogue import FACTS
from askew.facts.types import Value
from askew.resolve.observation import Observation, Unknown

_SUFFIXES = ("_bucket", "_sum", "_count", "_total")
_RANKS = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
# What says nothing, as Python and the engines write it.
_SAYS_NOTHING = frozenset(("", "None", "none", "null", "auto", "NaN", "unknown"))
_WHOLE = ("bytes", "tokens", "count")
# A reason why something is not known never stands before a source that knows it.
_LAST = 10_000
_LOOK = {
    "rate": "two dumps some minutes apart: metrics:before.txt,after.txt; or prometheus:http://HOST:9090?job=NAME",
    "": "prometheus:http://HOST:9090?job=NAME over a window with requests",
}


def speaks(table: Meters, names: Iterable[str], known: bool = False) -> frozenset[str]:
    """The metrics among these names that are this engine's; none where nothing proves that it speaks. ``known``: other
    evidence says that it does."""
    own = {canonical(name, table.aliases) for name in names}
    marks = set(table.marks)
    proof = (name for name in own if (table.prefixes and name.startswith(table.prefixes)) or _base(name) in marks)
    if not known and next(proof, None) is None:
        return frozenset()
    read = bases(table)
    return frozenset(name for name in own if _base(name) in read)


def bases(table: Meters) -> frozenset[str]:
    """The names of all metrics that a table reads, without the suffixes of a counter or histogram."""
    meters = (_base(name) for meter in table.meters for name in (*meter.names, *meter.of))
    return frozenset((*meters, *(_base(name) for one in table.stated for name in one.names), *map(_base, table.marks)))


def wanted(tables: Sequence[Meters]) -> Callable[[str], bool]:
    """Whether a metric is of interest to any of the tables, by its name as it stands in a dump."""
    known = frozenset(base for table in tables for base in bases(table))
    aliases = {prefix: own for table in tables for prefix, own in table.aliases.items()}

    def is_wanted(name: str) -> bool:
        return _base(canonical(name, aliases)) in known

    return is_wanted


def read(scrapes: Scrapes, table: Meters) -> tuple[Observation, ...]:
    """The observations of an engine's metrics. What they cannot show is unknown, with the reason."""
    own = (one for one in scrapes.series if not any(label in one.labels for label in table.foreign))
    index = Index(own, table.aliases, scrapes.windowed, scrapes.timed)
    found: list[Observation] = []
    for meter in table.meters:
        for figure in figures(meter, index, _ranks(meter)):
            if (observation := _observed(meter, figure, scrapes)) is not None:
                found.append(observation)
    found.extend(one for stated in table.stated for one in _stated(stated, index))
    return tuple(_once(found))


def _ranks(meter: Meter) -> list[tuple[str, float]]:
    return [(name, rank) for name, rank in _RANKS if f"{meter.fact}.{name}" in FACTS]


def _observed(meter: Meter, figure: Figure, scrapes: Scrapes) -> Observation | None:
    key = f"{meter.fact}.{figure.rank}" if figure.rank else meter.fact
    fact = FACTS.get(key)
    if fact is None:
        return None
    kind = fact.type.of(meter.key)
    if figure.value is None:
        reason = Unknown(figure.why, _LOOK.get(meter.how, _LOOK[""]), missing=True)
        return Observation(
            fact=key, key=meter.key, value=reason, origin="measured", basis="seen", rank=_LAST, locations=figure.places
        )
    try:
        value = kind.parse(round(figure.value) if kind.name in _WHOLE else float(f"{figure.value:.6g}"))
    except (ValueError, OverflowError):
        return None
    since_start = not scrapes.windowed and meter.how not in ("level", "value") and figure.sure == "certain"
    return Observation(
        fact=key,
        key=meter.key,
        value=value,
        origin="reported" if meter.how == "value" else "measured",
        basis="seen",
        locations=figure.places,
        confidence="likely" if since_start else figure.sure,
        because=figure.because,
    )


def _stated(stated: Stated, index: Index) -> Iterator[Observation]:
    """What labels say: the same in all series of all replicas as they are now, or unknown. A node has a series for each
    of its GPUs, and an engine for each of its ranks."""
    latest: dict[str, float] = {}
    dated = [(one.points[-1][0] if one.points else 0.0, one) for one in index.find(stated.names)]
    for at, one in dated:
        latest[one.replica] = max(at, latest.get(one.replica, at))
    said: dict[tuple[str, ...], Location] = {}
    for at, one in dated:
        if at == latest[one.replica]:
            said.setdefault(tuple(one.labels.get(label, "") for label in stated.labels), one.at)
    if not said:
        return
    values = [_label_value(stated, words) for words in said]
    value, same = values[0], FACTS[stated.fact].type.same
    places = tuple(said.values())[:3]
    if any((one is None) != (value is None) or not same(value, one) for one in values[1:]):
        shown = ", ".join(sorted("×".join(words) or "none" for words in said)[:4])
        reason = Unknown(f"the series say different things: {shown}", missing=True)
        yield Observation(fact=stated.fact, value=reason, origin="reported", basis="seen", locations=places, rank=_LAST)
    elif value is not None:
        product = len(stated.labels) > 1  # not every block of every model holds as many tokens
        yield Observation(
            fact=stated.fact,
            value=value,
            origin="reported",
            basis="seen",
            locations=places,
            confidence="likely" if product else "certain",
            because=(" × ".join(stated.labels),) if product else (),
        )


def _label_value(stated: Stated, words: tuple[str, ...]) -> Value:
    if any(word in _SAYS_NOTHING for word in words):
        return None
    kind = FACTS[stated.fact].type
    raw: Value = words[0]
    try:
        if len(words) > 1:
            product = 1.0
            for word in words:
                product *= float(word)
            raw = round(product)
        elif kind.name in _WHOLE:
            raw = round(float(words[0]))
        return kind.parse(raw)
    except (ValueError, OverflowError):
        return None


def _once(found: Sequence[Observation]) -> Iterator[Observation]:
    """Where several meters state one fact, the first that has a value counts: tables name the best first."""
    best: dict[tuple[str, str], Observation] = {}
    for one in found:
        held = best.get((one.fact, one.key))
        if held is None or (isinstance(held.value, Unknown) and not isinstance(one.value, Unknown)):
            best[one.fact, one.key] = one
    yield from best.values()


def _base(name: str) -> str:
    """A name without the suffixes that clients add. ``iteration_tokens_total_bucket`` is ``iteration_tokens``."""
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def names_of(tables: Mapping[str, Meters]) -> tuple[str, ...]:
    """Every spelling of every metric of these tables: what to look for among the names of a server."""
    return tuple(sorted({base for table in tables.values() for base in bases(table)}))
