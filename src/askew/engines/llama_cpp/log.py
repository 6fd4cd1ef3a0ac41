"""What llama-server logs when it starts: ``tools/server/server.cpp`` and what its library logs (``ggml_lines``)."""

from __future__ import annotations

from askew.engines.ggml_lines import loaded
from askew.engines.live import Log
from askew.engines.logged import ARGUMENTS, Says, State, last_start, named, stated, whole
from askew.evidence.told import Told
from askew.facts.types import Value
from askew.resolve.observation import Observation

_STARTS = ("build_info: b", "build: ")
_LIBRARY = ("llama_model_loader: ", "llama_context: ", "llama_new_context_with_model: ", "load_tensors: ")
_OLLAMA = ('msg="server config"', "source=routes.go", "source=server.go", "source=llama_server.go", "ollama runner")


def _build(text: str) -> Value:
    if not text.strip("b0"):
        raise ValueError("the build does not know its number")
    return "b" + text.removeprefix("b")


_TABLE = (
    Says(
        mark="build: ",
        pattern=r"\bbuild: (\d{3,6}) \([0-9a-f]{6,40}\) with ",
        states=(State(fact="runtime.engine.version", read=_build),),
    ),
    Says(
        mark="build_info: b",
        pattern=r"build_info: (b\d{1,6})-[0-9a-z]+\s*$",
        states=(State(fact="runtime.engine.version", read=_build),),
    ),
    Says(
        mark="loading model '",
        pattern=r"load_model: loading model '([^']+)'\s*$",
        states=(State(fact="model.id"),),
    ),
    Says(
        mark="n_threads = ",
        pattern=r"(?:system_info: |threadpool init, )n_threads = (\d+)(?: \(|,|\s*$| /)",
        states=(State(fact="runtime.threads", read=whole),),
    ),
    Says(
        mark="is listening",
        pattern=r"is listening(?: on https?://(?:[\w.-]+|\[[\da-f:]+\]):|, hostname: [^,]+, port: )(\d+)(?:,|\s|$)",
        states=(State(fact="serving.port", read=whole),),
        strength=ARGUMENTS,
    ),
    Says(
        mark="listening on http",
        pattern=r"\blistening on https?://(?:[\w.-]+|\[[\da-f:]+\]):(\d+)(?:\s|$)",
        states=(State(fact="serving.port", read=whole),),
        strength=ARGUMENTS,
    ),
)


def _speaks(told: Told) -> bool:
    text = told.text
    if any(mark in text for mark in _OLLAMA):
        return False
    return any(mark in text for mark in _LIBRARY) or ("build_info: b" in text and "srv " in text)


def _read(told: Told) -> tuple[Observation, ...]:
    since = last_start(told, _STARTS, ("llama_model_loader: loaded meta data",))
    found = (*stated(told, _TABLE, since), *loaded(told, since))
    return named("llama.cpp", found)


LOG = Log(starts=_STARTS, speaks=_speaks, read=_read)
