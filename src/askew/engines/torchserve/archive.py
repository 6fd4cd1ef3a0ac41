"""``model-config.yaml``, the file of a model archive that wins over ``config.properties`` for its model."""

from __future__ import annotations

import functools
from collections.abc import Callable

import msgspec

from askew.engines import settings, versions
from askew.engines.flags import Flag
from askew.engines.observe import Noted
from askew.engines.settings import Setting
from askew.engines.torchserve.flags import MODEL_CONFIG, SWITCHES, WHOLE, WORDS, boolean
from askew.evidence.launch import Content, Launch
from askew.facts.types import Value
from askew.resolve.observation import PRECEDENCE, Observation
from askew.resolve.workload import Problem

NAMES = ("model-config.yaml", "model-config.yml")
_ENGINE = "handler.vllm_engine_config."
_PARALLEL = {"tp": "runtime.tensor_parallel_size", "pp": "runtime.pipeline_parallel_size"}
_ABOVE_PROPERTIES = PRECEDENCE.index("config-file") * 10 - 1
# ModelConfig.java: an archive that has this file and names no timeout gets this, whatever config.properties says.
_TIMEOUT = 120


def find(launch: Launch) -> tuple[str, ...]:
    """The paths of such files that the process can read: YAML or JSON by its name, or alone in its launch."""
    named = tuple(sorted(path for path in launch.files if path.rpartition("/")[2] in NAMES))
    if named or launch.argv or launch.image is not None:
        return named
    return tuple(sorted(path for path in launch.files if path.endswith((".yaml", ".yml", ".json"))))


def read(launch: Launch, version: str | None, title: str) -> Noted:
    """What the one such file that the sources show states; of several nobody says which is served."""
    paths = find(launch)
    if len(paths) != 1:
        return Noted()
    content = launch.files[paths[0]]
    found = settings.read(paths[0], content, "expected a map of a model's settings")
    if found.problem is not None:
        return Noted(problems=(found.problem,))
    return _stated(found.settings, content, version, title)


@functools.lru_cache(maxsize=8)
def _table(version: str | None) -> dict[str, Flag]:
    releases = versions.releases("torchserve")
    return {flag.names[0]: flag for flag in MODEL_CONFIG if versions.has(flag.since, flag.until, version, releases)}


def _stated(found: tuple[Setting, ...], content: Content, version: str | None, title: str) -> Noted:
    kept: list[Setting] = []
    problems: list[Problem] = []
    for one in found:
        wrong = _mistyped(one)
        if wrong:
            problems.append(
                Problem(
                    kind="ignored-argument",
                    message=f"{title} ignores {one.name}: it must be {wrong}",
                    locations=(one.value.location,),
                    argument=one.name,
                    value=one.value.text,
                )
            )
        elif one.name.startswith(_ENGINE):
            continue
        else:
            kept.append(one)
    by_name = {one.name: one for one in kept}
    kept = [one for one in kept if not (one.name == "minWorkers" and not _workers(by_name))]
    noted = settings.state(
        kept, _table(version), engine=title, rank=_ABOVE_PROPERTIES, known=_handed_on, prefix="model-config:"
    )
    observations = [*noted.observations, *_parallel(by_name)]
    engine = [one for one in found if one.name.startswith(_ENGINE)]
    inner = _engine(engine)
    observations.extend(inner.observations)
    problems.extend((*noted.problems, *inner.problems))
    if "responseTimeout" not in by_name:
        observations.append(
            Observation(
                fact="serving.request_timeout",
                value=_TIMEOUT,
                origin="config-file",
                rank=_ABOVE_PROPERTIES,
                locations=(content.location,),
                hop="engine",
                because=("an archive with a model-config.yaml that names no responseTimeout gets 120 s",),
            )
        )
    return Noted(tuple(observations), tuple(problems), noted.mapped + inner.mapped, (*noted.unmapped, *inner.unmapped))


def _mistyped(one: Setting) -> str:
    if one.kind == "null":
        return ""
    if one.name in WHOLE and (one.kind != "number" or not one.value.text.lstrip("+-").isdecimal()):
        return "a whole number"
    if one.name in SWITCHES and one.kind != "boolean":
        return "true or false"
    return "text" if one.name in WORDS and one.kind != "text" else ""


def _workers(by_name: dict[str, Setting]) -> bool:
    """``minWorkers`` counts only together with a ``maxWorkers`` that is not below it."""
    low, high = by_name.get("minWorkers"), by_name.get("maxWorkers")
    return low is not None and high is not None and int(high.value.text) >= int(low.value.text)


def _handed_on(name: str) -> bool:
    """Whether the server hands a setting to the model's handler as it is: everything that it does not read itself."""
    return name.partition(".")[0] not in {flag.names[0] for flag in MODEL_CONFIG}


def _parallel(by_name: dict[str, Setting]) -> list[Observation]:
    kind, count = by_name.get("parallelType"), by_name.get("torchrun.nproc-per-node")
    if kind is None or count is None or count.value.text in ("", "gpu", "cpu", "auto"):
        return []
    fact = _PARALLEL.get(kind.value.text.lower())
    if fact is None or not count.value.text.isdecimal():
        return []
    where = (count.value.location, kind.value.location)
    return [Observation(fact=fact, value=int(count.value.text), origin="config-file", locations=where)]


def _engine(found: list[Setting]) -> Noted:
    """``vllm_engine_config`` of the vLLM handler: vLLM's own arguments, with underscores."""
    if not found:
        return Noted()
    from askew.engines.vllm.flags import FLAGS

    named = {name: flag for flag in reversed(FLAGS) for name in flag.names}
    table: dict[str, Flag] = {}
    bare: list[Setting] = []
    for one in found:
        name = one.name.removeprefix(_ENGINE)
        flag = named.get("--" + name.partition(".")[0].replace("_", "-"))
        bare.append(msgspec.structs.replace(one, name=name))
        if flag is None:
            continue
        if flag.takes in ("switch", "toggle"):
            table[name] = Flag(
                names=(name,), fact=flag.fact, key=flag.key, irrelevant=flag.irrelevant, read=_switched(flag.implies)
            )
        else:
            takes = "list" if flag.takes == "list" else "value"
            table[name] = msgspec.structs.replace(flag, names=(name,), takes=takes, env="")
    return settings.state(bare, table, engine="vLLM", prefix="vllm_engine_config:")


def _switched(implies: Value) -> Callable[[tuple[str, ...]], Value]:
    """How a switch is read that a file gives as true or false."""

    def read(words: tuple[str, ...]) -> Value:
        return implies if boolean(words) else not implies

    return read
