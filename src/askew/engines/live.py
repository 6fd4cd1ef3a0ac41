"""What an engine folder provides for engines that run: how they answer, and what they log.

Beside ``engine.py`` a folder may have ``endpoints.py`` with a module-level ``ENDPOINTS``, and ``log.py`` with a
module-level ``LOG``. Both are pure, and never raise for what an engine said. What an engine says of itself is an
observation of origin ``reported`` and basis ``seen``, with the place where it says it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

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

    ``speaks`` says whether a log is this engine's; ``read`` gives what its lines state, each at its line.
    """

    speaks: Callable[[Told], bool]
    read: Callable[[Told], tuple[Observation, ...]]
