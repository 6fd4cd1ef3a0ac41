"""What the LiteLLM proxy logs when it starts: the names that it serves, and where it listens.

Read in ``litellm/proxy/proxy_server.py`` @ 1.53.9 and 1.110.2, https://pypi.org/project/litellm/#history.
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.engines.live import Log
from askew.engines.logged import UVICORN, last_start, lines, named, reported, stated
from askew.evidence.told import Told
from askew.resolve.observation import Observation

_STARTS = ("LiteLLM: Proxy initialized with Config, Set models:",)
_MOST = 5_000


def _speaks(told: Told) -> bool:
    return "LiteLLM: Proxy initialized with" in told.text


def _read(told: Told) -> tuple[Observation, ...]:
    since = last_start(told, _STARTS)
    return named("litellm", (*stated(told, (UVICORN,)), *_models(told, since)))


def _models(told: Told, since: int) -> Iterator[Observation]:
    """The names below the line, each in a line of its own behind four blanks; whole once another line follows."""
    for line in lines(told, _STARTS[0], since):
        names: list[str] = []
        at = line.start + len(line.text) + 1
        while at < len(told.text) and len(names) < _MOST:
            end = told.text.find("\n", at)
            text = told.text[at : end if end >= 0 else len(told.text)]
            if end < 0 or not text.lstrip(" ") or not text.startswith("    "):
                break
            names.append(text.strip())
            at = end + 1
        if names and told.text.find("\n", at) >= 0:
            yield from reported("model.served_names", [*sorted(set(names))], (line.at(),))


LOG = Log(starts=_STARTS, speaks=_speaks, read=_read)
