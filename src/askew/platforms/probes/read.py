"""Outputs of the probes of one container to observations, and to the processes that really run in it.

The name of a probe is the last part of a text's source (``…/exec/shm``). What a probe says is reported by the system
inside the container, and seen there. A probe that printed something else says nothing.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from askew.evidence.launch import Launch, Token, Variable
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.platforms.command import program_name
from askew.platforms.interface import SourceText
from askew.platforms.kubernetes.observe import observed
from askew.platforms.packages.pin import Pin, states
from askew.platforms.shell.wrappers import program
from askew.platforms.smi import facts as hardware
from askew.platforms.smi.capture import Capture
from askew.platforms.smi.read import of_text
from askew.resolve.observation import Observation, Unknown

_SMI = frozenset(
    ("nvidia-smi", "nvidia-smi-list", "nvidia-smi-topo", "rocm-smi", "rocm-smi-topo", "hl-smi", "xpu-smi", "npu-smi",
     "neuron-ls", "tpu-info")
)  # fmt: skip
_SHM = re.compile(r"(?P<device>\S+)\s+(?P<blocks>\d{1,18})\s+\d+\s+\d+\s+\d+%\s+/dev/shm")
_HEADER = re.compile(r"==> (\S+) <==")
_DIST = re.compile(r"(?P<folder>/\S*)/(?P<name>[A-Za-z0-9][A-Za-z0-9._]*)-(?P<version>\d[^/\s]{0,100})\.dist-info")
_LISTED = re.compile(r"-\S{9,10}\s+\d+\s+\d+\s+\d+\s+(?P<size>\d{1,18})\s+.{5,40}?\s(?P<name>[^\s/]\S*)")
_DIGEST = re.compile(r"\\?(?P<digest>[0-9a-f]{64})  (?P<path>/.+)")
_MODEL = re.compile(r"model name\s*:\s*(?P<model>\S.*)")
# Formats by the names of files; a single one tells, several do not.
_FORMATS = ((".safetensors", "safetensors"), (".gguf", "gguf"), (".onnx", "onnx"), (".plan", "tensorrt-plan"))
# Programs and modules that serve models → the package whose release is the engine's.
_ENGINES = {
    "vllm": "vllm", "sglang": "sglang", "lmdeploy": "lmdeploy", "trtllm-serve": "tensorrt-llm", "litellm": "litellm",
    "mlserver": "mlserver", "bentoml": "bentoml", "infinity_emb": "infinity-emb", "tensorrt_llm": "tensorrt-llm",
}  # fmt: skip
_SERVERS = frozenset(
    (*_ENGINES, "text-generation-launcher", "text-embeddings-router", "tritonserver", "llama-server", "ollama",
     "torchserve", "tensorflow_model_server")
)  # fmt: skip
_STARTERS = frozenset(
    ("sh", "bash", "dash", "ash", "tini", "dumb-init", "catatonit", "sleep", "pause", "tail", "head", "cat", "sudo",
     "nvidia_entrypoint.sh", "entrypoint.sh", "docker-init", "supervisord", "redis-server", "nginx")
)  # fmt: skip
_UNLIMITED = 2**60  # cgroup v1 writes the largest multiple of a page for no limit
_MOST_LINES = 100_000
_MOST_PROCESSES = 4096


def read(texts: Sequence[SourceText]) -> tuple[Observation, ...]:
    """What all probes of one container say together."""
    captures: list[Capture] = []
    out: list[Observation] = []
    for text in texts:
        name = probe_of(text.source)
        if name in _SMI:
            captures.extend(of_text(text.source, text.text)[0])
        elif (reader := _READERS.get(name)) is not None:
            out.extend(reader(text))
    return (*hardware.observations(captures, inside=True), *out)


def probe_of(source: str) -> str:
    """The name of the probe that a text is of."""
    return source.rpartition("/")[2]


def launches(texts: Sequence[SourceText], container: Launch) -> tuple[Launch, ...]:
    """The processes that run in a container, with their words as the system has them, in the order of their numbers.

    ``container`` is what the container starts: image, files and variables are its own; a variable that only the process
    has is one whose value was not read. Processes without arguments are left out: an engine's workers rename
    themselves and hide theirs, and the one that started them has them.
    """
    env: Mapping[str, Variable] = {}
    found: list[Launch] = []
    for text in texts:
        if probe_of(text.source) == "environment":
            env = variables(text)
    for text in texts:
        if probe_of(text.source) == "processes":
            found.extend(_processes(text, container, env))
    return tuple(found)


def main_process(texts: Sequence[SourceText], container: Launch) -> Launch | None:
    """The process that serves, of those that run in a container: the one whose program is known to, else the only one
    that is neither a shell nor an init process nor a worker that Python spawned. None where several could be meant:
    containers may see each other's processes."""
    found: list[Launch] = []
    for launch in launches(texts, container):
        words = [token.text for token in launch.argv]
        if program(words[0]) not in _STARTERS and "-c" not in words[1:3] and not words[0].endswith(".sh"):
            if program_name(launch.argv) in _SERVERS:
                return launch
            found.append(launch)
    return found[0] if len(found) == 1 else None


def engine_release(started: Sequence[Launch], probed: Sequence[Observation]) -> Observation | None:
    """The release of the engine where the packages that a process sees are shown: of ``vllm serve`` that of vllm. None
    where no package is known to be that of the program."""
    wanted = {_ENGINES[name] for one in started if one.argv and (name := program_name(one.argv)) in _ENGINES}
    for one in probed:
        if one.fact == "runtime.packages" and one.key in wanted and isinstance(one.value, str) and len(wanted) == 1:
            because = (f"the package {one.key} that the process runs",)
            return msgspec.structs.replace(one, fact="runtime.engine.version", key="", because=because)
    return None


def variables(text: SourceText) -> dict[str, Variable]:
    """The variables of the first process; their values were not read."""
    reason = "it is set in the running process, and its value was not read"
    return {
        line: Variable(line, None, Location(text.source, line=number, column=1), reason)
        for number, line in _lines(text)
        if line
    }


def _processes(text: SourceText, container: Launch, env: Mapping[str, Variable]) -> Iterator[Launch]:
    for number, line in list(_lines(text))[:_MOST_PROCESSES]:
        pid, tab, encoded = line.partition("\t")
        try:
            words = msgspec.json.decode(encoded, type=list[str]) if tab else []
        except (msgspec.DecodeError, RecursionError):
            continue
        if len(words) < 2 or not pid.isdecimal():
            continue
        at = Location(text.source, path=f"{pid}/cmdline", line=number, column=1)
        tokens = tuple(Token(word, at) for word in words)
        yield msgspec.structs.replace(
            container, argv=tokens, location=at, implicit_entrypoint=False, env={**env, **container.env}
        )


def _lines(text: SourceText) -> Iterator[tuple[int, str]]:
    yield from enumerate(text.text.split("\n", _MOST_LINES)[:_MOST_LINES], start=1)


def _seen(fact: str, value: Value | Unknown, *places: Location, key: str = "", because: str = "") -> Observation:
    return observed(
        fact, value, *places, origin="reported", basis="seen", key=key, because=(because,) if because else ()
    )


def _shm(text: SourceText) -> Iterator[Observation]:
    for number, line in _lines(text):
        if (match := _SHM.fullmatch(line.strip())) is not None:
            place = Location(text.source, line=number, column=line.index(match["blocks"]) + 1)
            yield _seen("orchestration.shm.bytes", int(match["blocks"]) * 1024, place)
            return


def _limits(text: SourceText) -> Iterator[Observation]:
    shown: dict[str, tuple[str, Location]] = {}
    name = ""
    for number, line in _lines(text):
        if (header := _HEADER.fullmatch(line.strip())) is not None:
            name = posixpath.basename(header[1])
        elif line.strip() and name not in shown:
            shown[name] = (line.strip(), Location(text.source, line=number, column=1))
    for name in ("memory.max", "memory.limit_in_bytes"):
        value, place = shown.get(name, ("", None))
        if place is not None and value.isdecimal() and len(value) < 20 and int(value) < _UNLIMITED:
            yield _seen("orchestration.resources.memory.bytes", int(value), place, key="limit")
    quota, place = shown.get("cpu.max", ("", None))
    if place is None:
        quota, place = shown.get("cpu.cfs_quota_us", ("", None))
        quota = f"{quota} {shown.get('cpu.cfs_period_us', ('', None))[0]}"
    words = quota.split()
    whole = len(words) == 2 and all(word.isdecimal() and len(word) < 12 for word in words)
    if place is not None and whole and int(words[1]):
        yield _seen("orchestration.resources.cpu", f"{int(words[0]) / int(words[1]):.12g}", place, key="limit")


def _cpu(text: SourceText) -> Iterator[Observation]:
    for number, line in _lines(text):
        if (match := _MODEL.fullmatch(line.strip())) is not None:
            place = Location(text.source, line=number, column=line.index(match["model"]) + 1)
            yield _seen("hardware.cpu.model", match["model"][:200], place)
            return


def _rdma(text: SourceText) -> Iterator[Observation]:
    named = [(number, line.strip()) for number, line in _lines(text) if re.fullmatch(r"[\w.-]{1,64}", line.strip())]
    if named:
        names: list[Value] = [*sorted(name for _, name in named)]
        yield _seen("hardware.rdma.devices", names, Location(text.source, line=named[0][0], column=1))


def _packages(text: SourceText) -> Iterator[Observation]:
    pins: list[Pin] = []
    for number, line in _lines(text):
        match = _DIST.fullmatch(line.strip())
        if match is not None:
            column = line.index(match["name"] + "-") + 1
            place = Location(text.source, line=number, column=column)
            pins.append(Pin(match["name"], match["version"], place))
    yield from states("runtime.packages", pins, origin="reported", basis="seen")


def _files(text: SourceText) -> Iterator[Observation]:
    for number, line in _lines(text):
        if (match := _DIGEST.fullmatch(line)) is not None:
            place = Location(text.source, line=number, column=1)
            yield _seen("orchestration.config.files", f"sha256:{match['digest']}", place, key=match["path"][:1024])


def _model(text: SourceText) -> Iterator[Observation]:
    found: dict[str, Location] = {}
    for number, line in _lines(text):
        match = _LISTED.fullmatch(line.rstrip())
        if match is None:
            continue
        for ending, name in _FORMATS:
            if match["name"].endswith(ending):
                place = Location(text.source, line=number, column=match.start("name") + 1)
                found.setdefault(name, place)
    if len(found) == 1:
        name, place = next(iter(found.items()))
        yield _seen("model.weights.format", name, place, because="by the names of the files")


_READERS: Mapping[str, Callable[[SourceText], Iterator[Observation]]] = {
    "shm": _shm,
    "limits": _limits,
    "cpu": _cpu,
    "rdma": _rdma,
    "packages": _packages,
    "files": _files,
    "model": _model,
}
