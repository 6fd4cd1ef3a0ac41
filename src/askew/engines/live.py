"""What an engine folder provides for engines that run: how they answer, what they log, what they count.

Beside ``engine.py`` a folder may have ``endpoints.py`` with a module-level ``ENDPOINTS``, ``log.py`` with a
module-level ``LOG``, and ``meters.py`` with a module-level ``METERS``. All are pure, and never raise for what an engine
said. What an engine says of itself is an observation of origin ``reported`` and basis ``seen``, with the place where it
says it; what it counted is ``measured``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

import msgspec

from askew.evidence.told import Told
from askew.resolve.observation import Observation

# ``Ask.name`` → what was answered with success. Questions that failed are not in it.
Answers: TypeAlias = Mapping[str, Told]


class Ask(msgspec.Struct, frozen=True):
    """A question that changes nothing at the endpoint: a GET of ``path``, or a POST where there is a JSON ``body``.

    ``path`` may hold a query; parts that were told (names of models) are percent-encoded. ``lacking`` says what stays
    unknown where it is not answered, and how to have it answered (``dtype …: start vLLM with VLLM_SERVER_DEV_MODE=1``);
    empty where nothing is missed. ``instead_of`` is the name of another question: this one is asked where that one was
    not answered, as by other releases.
    """

    path: str
    body: str = ""
    lacking: str = ""
    instead_of: str = ""

    @property
    def name(self) -> str:
        """What the answer is known by: the path with its query, and the body behind a blank where there is one."""
        return f"{self.path} {self.body}" if self.body else self.path


class Endpoints(msgspec.Struct, frozen=True, kw_only=True):
    """The HTTP interface of an engine.

    ``asks`` says what to ask next, given the answers so far; it is called until it asks nothing new, a few times at
    most. ``speaks`` says whether answers are this engine's: by what they hold, never by a port. What looks like it and
    is another (a proxy before it) it asks about, and does not speak where that is what answers. ``read`` turns the
    answers into observations, the engine's release (``runtime.engine.version``) among them where it is told.
    ``metrics`` is the path of its metrics in Prometheus' text format; empty where they are elsewhere.
    """

    asks: Callable[[Answers], tuple[Ask, ...]]
    speaks: Callable[[Answers], bool]
    read: Callable[[Answers], tuple[Observation, ...]]
    metrics: str = "/metrics"


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """The lines that an engine writes when it starts.

    ``starts`` are plain texts one of which stands in a line that is written once, and early, whenever the engine
    starts: of a log that holds several starts the last one counts. ``speaks`` says whether a log is this engine's;
    ``read`` gives what its lines state, each at its line.
    """

    starts: tuple[str, ...] = ()
    speaks: Callable[[Told], bool]
    read: Callable[[Told], tuple[Observation, ...]]


# quantiles: of a histogram. mean: sum by count of a histogram, or one counter by another. rate: a counter, per second
# and replica. share: a counter as a part of others. level: a gauge, its mean over time. peak: its p95 over time.
# value: what a gauge says once and for all, such as the size of the KV cache.
How: TypeAlias = Literal["quantiles", "mean", "rate", "share", "level", "peak", "value"]


class Meter(msgspec.Struct, frozen=True, kw_only=True):
    """What some metrics of an engine state.

    ``fact`` is the fact's key; of quantiles its beginning (``performance.ttft``), to which ``.p50`` and so on are
    added. ``names`` are the names that the metric has had over the releases, the newest first, as the engine's source
    writes them: a histogram without ``_bucket``. ``scale`` turns the metric's unit into the fact's. ``of`` are the
    counters that a share or mean is taken of; none for a share of all series of the same name. ``where`` are labels
    with the values that count, ``unless`` such with values that do not (probes of health are no requests). ``across``
    says what several series of one replica (data parallel ranks, models) are together. ``lazy``: a series comes with
    its first event, so that where there is none, but the whole of it, nothing happened. ``nonzero``: zero says that the
    engine does no such thing.
    """

    fact: str
    how: How
    names: tuple[str, ...]
    key: str = ""
    scale: float = 1.0
    of: tuple[str, ...] = ()
    where: Mapping[str, tuple[str, ...]] = {}
    unless: Mapping[str, tuple[str, ...]] = {}
    across: Literal["sum", "mean"] = "sum"
    lazy: bool = False
    nonzero: bool = False


class Stated(msgspec.Struct, frozen=True, kw_only=True):
    """A fact that labels of a metric state: the value of the label, or the product of several numbers."""

    fact: str
    names: tuple[str, ...]
    labels: tuple[str, ...]


class Meters(msgspec.Struct, frozen=True, kw_only=True):
    """The metrics of an engine.

    ``prefixes`` begin the names of all its metrics and of no other engine's; where there is no such prefix, ``marks``
    are names that only it has. Without both it speaks only where other evidence says that it does. ``aliases`` are
    prefixes under which others pass its metrics on, with what they stand for (``ray_vllm_`` for ``vllm:``). Series with
    a label of ``foreign`` are what somebody else says under its names.
    """

    meters: tuple[Meter, ...]
    stated: tuple[Stated, ...] = ()
    prefixes: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    aliases: Mapping[str, str] = {}
    foreign: tuple[str, ...] = ()
