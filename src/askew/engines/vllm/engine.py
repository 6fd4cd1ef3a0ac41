"""vLLM: a launch in, observations out."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

import msgspec

from askew.engines import versions
from askew.engines.arguments import ARGPARSE, Given, Parsed, Table, parse, places, table
from askew.engines.builds import build_of, vendor_rules
from askew.engines.composed import own_variables
from askew.engines.interface import Reading
from askew.engines.observe import environment, identity, observe, read_arguments, variable_value
from askew.engines.vllm import config_file, defaults
from askew.engines.vllm.environment import EXPRESSED, INERT, OF_BUILDS
from askew.engines.vllm.flags import CACHE_LAYOUTS, DEFERRED, FLAGS
from askew.engines.vllm.generations import Setting, obstacle
from askew.engines.vllm.readers import OTHER, source
from askew.engines.vllm.tags import stated_release
from askew.evidence.launch import Launch, Token
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.resolve.images import read_image
from askew.resolve.observation import Confidence, Observation, Origin, Unknown
from askew.resolve.rule import Rule
from askew.resolve.workload import Problem

NAME, TITLE = "vllm", "vLLM"

# FlexibleArgumentParser (vllm/utils/argparse_utils.py): argparse with underscores for dashes, dotted JSON and -O3.
DIALECT = msgspec.structs.replace(
    ARGPARSE,
    name="vllm",
    underscores=True,
    dotted=True,
    opposites=True,
    joined={"-O": "-O"},
)

_MOVING_REVISIONS = frozenset({"main", "master", "head", "latest"})
_POOLING = frozenset({"pooling", "embed", "embedding", "classify", "score", "reward", "draft"})
_PROGRAM_FILES = ("api_server.py",)


class Vllm:
    """The engine. Stateless."""

    name = NAME
    unsupported = defaults.UNSUPPORTED

    def read(self, launch: Launch) -> Reading:
        """Read one launch of vLLM: its arguments, config file, environment, image and the defaults of its release."""
        said, version = identity(NAME, launch, title=TITLE, states=stated_release)
        near = versions.nearest(NAME, version)
        release, exact = near if near is not None else (None, False)
        own = release if exact else None
        flags = table_of(version)
        words = arguments_of(launch)
        parsed = parse(words, flags)
        observations = list(said)
        problems: list[Problem] = []
        mapped, unmapped = 0, list[str]()

        filed = _config(parsed, launch, flags)
        problems.extend(filed.problems)
        observations.extend(filed.observations)
        if filed.parsed is not None:
            noted = read_arguments(filed.parsed, engine=TITLE, origin="config-file", deferred=DEFERRED)
            observations.extend(noted.observations)
            problems.extend(noted.problems)
            mapped += noted.mapped
            unmapped.extend(noted.unmapped)
        noted = read_arguments(parsed, engine=TITLE, deferred=DEFERRED)
        observations.extend(noted.observations)
        problems.extend(noted.problems)
        mapped += noted.mapped
        unmapped.extend(noted.unmapped)

        everything = (*(filed.parsed.given if filed.parsed else ()), *parsed.given)
        observations, refused = _cache_layouts(observations, everything)
        problems = [one for one in problems if one.fact != "runtime.kv_cache.dtype" or one.value not in refused]
        observations = without_own_defaults(observations, own)
        model, more = _model(parsed, launch, observations, release)
        observations.extend(model)
        problems.extend(more)
        observations.extend(_revision(observations))
        variables, more = _environment(launch, release, exact=exact)
        observations.extend(variables)
        problems.extend(more)
        observations.extend(_fixed(launch))
        pooling = not _POOLING.isdisjoint(_last(everything, name) for name in ("--runner", "--task", "--convert"))
        setting = _setting(launch, release, everything, pooling=pooling)
        observations.extend(_defaults(launch, version, release, pooling=pooling))
        rules = defaults.rules(setting, longest=_last(everything, "--max-model-len") in ("auto", "-1"))
        if any(one.fact == "runtime.compilation" for one in observations):
            rules = tuple(one for one in rules if one.fact != "runtime.compilation")
        hidden = next((one for one in parsed.unmapped if one.reason), None)
        if hidden is not None:
            doubt = f"unless {hidden.name} holds an argument that says otherwise"
            observations, rules = _doubted(observations, rules, "possible", doubt, cited=False)
        if release is not None and not exact:
            alike = versions.release_key(version or "")[:2] == versions.release_key(release.version)[:2]
            doubt = f"vLLM {version} is not in this build; {release.version}, the nearest release that is, does so"
            observations, rules = _doubted(observations, rules, "likely" if alike else "possible", doubt, cited=True)
        known, strange = own_variables(launch, ("VLLM_",), (*_known_variables(), *EXPRESSED, *INERT, *OF_BUILDS))
        return Reading(
            observations=tuple(_without_key(one) for one in observations),
            rules=(*rules, *vendor_rules(launch.image)),
            problems=tuple(problems),
            version=version,
            mapped=mapped,
            unmapped=tuple(unmapped),
            variables=known,
            strange=strange,
        )

    def flag_for(self, fact: str, version: str | None) -> str | None:
        """The argument that sets ``fact`` in this release (``--max-model-len``), or None."""
        found = _setters(version).get(fact)
        if found is not None:
            return found
        return {
            "serving.api_key_required": "--api-key",
            "serving.tls": "--ssl-certfile",
            "runtime.sampling_defaults": "--override-generation-config",
            "runtime.hf_overrides": "--hf-overrides",
            "runtime.rope_override": "--hf-overrides",
            "runtime.compilation": "--compilation-config",
            "runtime.speculative": "--speculative-config",
            "runtime.role": "--kv-transfer-config",
            "model.source": "--model",
        }.get(fact)


ENGINE = Vllm()


def _doubted(
    observations: list[Observation], rules: tuple[Rule, ...], confidence: Confidence, doubt: str, *, cited: bool
) -> tuple[list[Observation], tuple[Rule, ...]]:
    """Defaults with a lower confidence, and why. ``cited``: only those that cite a release."""

    def weaker(held: Confidence) -> Confidence:
        return held if held == "possible" else confidence

    seen = [
        msgspec.structs.replace(one, confidence=weaker(one.confidence), because=(*one.because, doubt))
        if one.origin == "engine-default" and (one.locations or not cited)
        else one
        for one in observations
    ]
    ruled = tuple(
        msgspec.structs.replace(one, confidence=weaker(one.confidence), because=f"{one.because}; {doubt}")
        for one in rules
    )
    return seen, ruled


def _without_key(one: Observation) -> Observation:
    """No text of a key is kept, not even its marker: that one is required is all that a fact says."""
    return msgspec.structs.replace(one, raw="") if one.fact.startswith(("serving.api_key", "serving.secrets")) else one


def _setting(
    launch: Launch, release: versions.Release | None, given: tuple[Given, ...], *, pooling: bool
) -> Setting | None:
    if release is None:
        return None
    variable = launch.env.get("VLLM_USE_V1")
    asked = None if variable is None else {"0": False, "1": True}.get((variable.value or "").strip())
    names = [one.flag.names[0] for one in given]
    standing = next((name for name in names if obstacle(release, name, _last(given, name))), "")
    if not standing and "VLLM_ATTENTION_BACKEND" in launch.env:
        standing = "VLLM_ATTENTION_BACKEND"
    if not standing and variable is not None and asked is None:
        standing = "VLLM_USE_V1"
    if not standing and pooling:
        standing = "a pooling model"
    return Setting(
        release=release,
        asked=asked,
        obstacle=standing,
        throughput=_last(given, "--performance-mode") == "throughput",
        pooling=pooling,
        steps=_last(given, "--num-scheduler-steps") not in ("", "1"),
        executor=_last(given, "--distributed-executor-backend"),
        platform=_platform(launch),
        asks=_asks(launch, given),
    )


def _platform(launch: Launch) -> str:
    """What the image is built for, where that is neither CUDA nor ROCm."""
    reference = read_image(launch.image)
    build = build_of(reference) if reference is not None else None
    return build.word if build is not None and build.vendor != "amd" else ""


def _asks(launch: Launch, given: tuple[Given, ...]) -> frozenset[str]:
    """The switches of ``Setting.asks``."""
    reference = read_image(launch.image)
    build = build_of(reference) if reference is not None else None
    found = {build.word} if build is not None else set[str]()
    found.update(one.flag.names[0] for one in given if one.flag.takes in ("switch", "toggle") and not one.negated)
    return frozenset(found)


class _Filed(msgspec.Struct, frozen=True):
    parsed: Parsed | None = None
    observations: tuple[Observation, ...] = ()
    problems: tuple[Problem, ...] = ()


def _own_image(launch: Launch) -> bool:
    """Whether the image is the project's, in the build that its releases have first."""
    reference = read_image(launch.image)
    return (
        reference is not None
        and reference.name == "docker.io/vllm/vllm-openai"
        and re.fullmatch(r"(?a)v\d+(?:\.\d+)+(?:\.post\d+)?", reference.tag or "") is not None
    )


def arguments_of(launch: Launch) -> tuple[Token, ...]:
    """The words after the program. For an image's own entrypoint all of them, without a repeated ``vllm serve``."""
    argv = launch.argv
    for index, token in enumerate(argv):
        word = token.text
        if (
            word.startswith("-")
            and word not in ("-m", "-u")
            and not (index and argv[0].text.rpartition("/")[2].startswith("python"))
        ):
            break
        base = word.rpartition("/")[2]
        if (
            word == "serve"
            and index
            and argv[index - 1].text.rpartition("/")[2] in ("vllm", "vllm.entrypoints.cli.main")
        ):
            return argv[index + 1 :]
        if word.endswith(".api_server") or base in _PROGRAM_FILES:
            return argv[index + 1 :]
        if word == "serve" and index == 0 and launch.implicit_entrypoint:
            return argv[1:]
    return argv


@functools.lru_cache(maxsize=16)
def table_of(version: str | None) -> Table:
    """The arguments of a release, or of all where it is not known."""
    known = versions.stable(NAME)
    return table(FLAGS, DIALECT, title=TITLE, version=version, releases=known.releases if known else ())


@functools.lru_cache(maxsize=16)
def _setters(version: str | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, entry in table_of(version).names.items():
        usable = entry.alive and entry.current and not entry.derived and name.startswith("--")
        if usable and entry.flag.fact and entry.flag.fact != OTHER and not entry.flag.key:
            found.setdefault(entry.flag.fact, name)
    return found


def _last(given: tuple[Given, ...], name: str) -> str:
    """The value that an argument has in the end, in lower case; empty where it is not given or not known."""
    for one in reversed(given):
        if one.flag.names[0] == name:
            return one.values[0].text.strip().lower() if one.values and one.values[0].unknown is None else ""
    return ""


def _config(parsed: Parsed, launch: Launch, flags: Table) -> _Filed:
    """The arguments of the file that ``--config`` names."""
    given = [one for one in parsed.given if one.flag.names[0] == "--config" and one.values]
    if not given:
        return _Filed()
    one = given[-1]
    if "=" in one.name.text:
        return _Filed(
            problems=(
                Problem(
                    kind="ignored-argument",
                    message=f"vLLM ignores {one.name.text}: it reads the file only where name and path are two words",
                    locations=places(one.name),
                    argument="--config",
                    value=one.values[0].text,
                    suggestion=f"--config {one.values[0].text}",
                ),
            )
        )
    found = config_file.read(one.values[0], launch, flags)
    if found.unknown or found.malformed:
        reason = found.unknown or found.malformed
        where = places(*one.values)
        problem = Problem(
            kind="unreadable",
            message=f"vLLM refuses --config: {reason}",
            locations=(*((found.at,) if found.at is not None else ()), *where),
            argument="--config",
            value=one.values[0].text,
            suggestion=config_file.EXPECTED,
        )
        value = Unknown(f"arguments in a config file: {reason}", text=one.values[0].text)
        return _Filed(
            observations=(Observation(fact=OTHER, key="--config", value=value, origin="config-file", locations=where),),
            problems=(problem,) if found.malformed else (),
        )
    return _Filed(parsed=parse(found.words, flags))


def _cache_layouts(
    observations: list[Observation], given: tuple[Given, ...]
) -> tuple[list[Observation], frozenset[str]]:
    """Layouts of the cache that no dtype names are no errors: the dtype is unknown, and the layout stands as text."""
    layout = _last(given, "--kv-cache-dtype")
    if layout not in CACHE_LAYOUTS:
        return observations, frozenset()
    kept = [one for one in observations if one.fact != "runtime.kv_cache.dtype"]
    one = next(one for one in reversed(given) if one.flag.names[0] == "--kv-cache-dtype")
    where = places(*one.values)
    unknown = Unknown(f"vLLM's cache layout {layout} is no single dtype", text=layout)
    kept.append(
        Observation(fact="runtime.kv_cache.dtype", value=unknown, origin="explicit", locations=where, raw=layout)
    )
    kept.append(Observation(fact=OTHER, key="--kv-cache-dtype", value=layout, origin="explicit", locations=where))
    return kept, frozenset({layout, one.values[0].text})


def without_own_defaults(observations: Sequence[Observation], release: versions.Release | None) -> list[Observation]:
    """Options without a fact that state what the release does anyway say nothing.

    Facts have their defaults beside them, so that an explicit default equals an absent one; options have not.
    """
    if release is None:
        return list(observations)
    from askew.engines.vllm.readers import as_text

    def says_default(one: Observation) -> bool:
        entry = release.arguments.get(one.key) if one.fact == OTHER else None
        if entry is None or entry.kind != "literal" or entry.value is None:
            return False
        if isinstance(entry.value, bool):
            return one.value == ("true" if entry.value else "false")
        if isinstance(entry.value, list):
            return one.value == " ".join(str(item) for item in entry.value)
        plain = entry.value if isinstance(entry.value, str) else msgspec.json.encode(entry.value).decode()
        return one.value == as_text((plain,))

    return [one for one in observations if not says_default(one)]


def _model(
    parsed: Parsed, launch: Launch, observations: list[Observation], release: versions.Release | None
) -> tuple[list[Observation], list[Problem]]:
    """The model: the positional argument, else ``--model``, else the release's own example model."""
    found: list[Observation] = []
    problems: list[Problem] = []
    if parsed.positionals:
        word = parsed.positionals[0]
        where = places(word)
        value: Value | Unknown = Unknown(word.unknown, text=word.text) if word.unknown else word.text.strip()
        # The positional argument wins over --model (ServeSubcommand.cmd), and both win over the config file.
        found.append(
            Observation(
                fact="model.id",
                value=value,
                origin="explicit",
                locations=where,
                order=len(parsed.given) + 10**6,
                raw=word.text,
            )
        )
        for stray in parsed.positionals[1:]:
            problems.append(_stray(stray))
        if any(one.flag.names[0] == "--model" for one in parsed.given):
            problems.append(
                Problem(
                    kind="ignored-argument",
                    message="the model is given twice, as a word and with --model; newer releases refuse that",
                    locations=where,
                    argument="--model",
                    value=word.text,
                    fact="model.id",
                )
            )
    ids = [one for one in (*observations, *found) if one.fact == "model.id"]
    if not ids:
        hidden = next((one for one in parsed.unmapped if one.reason), None)
        if hidden is not None:
            value = Unknown(f"the model may be in {hidden.name}: {hidden.reason}", text=hidden.name)
            ids = [Observation(fact="model.id", value=value, origin="explicit", locations=places(hidden.token))]
        elif release is not None and "--model" in release.arguments:
            entry = release.arguments["--model"]
            ids = [
                Observation(
                    fact="model.id", value=entry.value, origin="engine-default", locations=(release.where(entry),)
                )
            ]
        else:
            ids = [
                Observation(
                    fact="model.id",
                    value=Unknown("no model is given"),
                    origin="engine-default",
                    locations=(launch.location,),
                )
            ]
        found.extend(ids)
    hub = launch.env.get("VLLM_USE_MODELSCOPE")
    modelscope = hub is not None and (hub.value or "").strip().lower() in ("true", "1")
    for one in ids:
        if isinstance(one.value, str):
            address = source(one.value)
            if modelscope and address.startswith("hf://"):
                address = "modelscope://" + address.removeprefix("hf://")
            found.append(
                msgspec.structs.replace(one, fact="model.source", value=address, because=("from the model's name",))
            )
        else:
            found.append(msgspec.structs.replace(one, fact="model.source"))
    return found, problems


def _stray(word: Token) -> Problem:
    boolean = word.text.strip().lower() in ("true", "false")
    hint = "; a switch takes no value: write --x or --no-x" if boolean else ""
    return Problem(
        kind="malformed",
        message=f"vLLM refuses the word {word.text!r}: it belongs to no argument{hint}",
        locations=places(word),
        value=word.text,
    )


def _revision(observations: list[Observation]) -> list[Observation]:
    """A revision that moves, or none at all, is unknown; weights that come from a path have none."""
    sources = [one for one in observations if one.fact == "model.source" and isinstance(one.value, str)]
    found: list[Observation] = []
    for index, one in enumerate(observations):
        if one.fact not in ("model.revision", "model.tokenizer.revision") or not isinstance(one.value, str):
            continue
        if one.value.lower() in _MOVING_REVISIONS:
            unknown = Unknown(f"{one.value} moves: it is whatever its author pushed last", text=one.value)
            observations[index] = msgspec.structs.replace(one, value=unknown)
    last = max(sources, key=lambda one: (one.origin == "explicit", one.order), default=None)
    if last is not None and not str(last.value).startswith(("hf://", "modelscope://")):
        none = Observation(
            fact="model.revision",
            value=None,
            origin="engine-default",
            locations=last.locations,
            because=(f"weights from {last.value} have no revision",),
        )
        found.append(none)
    else:
        unpinned = Unknown(
            "no revision is pinned: it is whatever main is at download time",
            observe_with="ls $HF_HOME/hub/models--*/snapshots",
        )
        found.append(Observation(fact="model.revision", value=unpinned, origin="engine-default"))
    return found


def _environment(
    launch: Launch, release: versions.Release | None, *, exact: bool
) -> tuple[list[Observation], list[Problem]]:
    reads = release.variables if release is not None else ()
    found = list(environment(launch, expressed=EXPRESSED, inert=INERT, reads=reads))
    if release is not None and exact and release.variables:
        found = [_as_read(one, release) for one in found if one.key != "VLLM_USE_V1" or one.key in release.variables]
    problems: list[Problem] = []
    backend = launch.env.get("VLLM_ATTENTION_BACKEND")
    if backend is not None and (release is None or "VLLM_ATTENTION_BACKEND" in release.variables):
        where: tuple[Location, ...] = (backend.location, *backend.via)
        value = variable_value(backend)
        if isinstance(value, Unknown):
            found.append(Observation(fact="runtime.attention_backend", value=value, origin="env", locations=where))
        else:
            found.extend(
                observe(
                    "runtime.attention_backend", value, origin="env", locations=where, name=backend.name
                ).observations
            )
    key = launch.env.get("VLLM_API_KEY")
    if key is not None and key.value != "":
        found.append(
            Observation(fact="serving.api_key_required", value=True, origin="env", locations=(key.location, *key.via))
        )
    if release is not None and exact and release.variables:
        problems.extend(_unknown_variables(launch, release))
    return found, problems


def _unknown_variables(launch: Launch, release: versions.Release) -> list[Problem]:
    """Variables that the release does not know: those that it dropped, and those that look like a slip of the pen.

    Others are left alone: scripts around the engine like its prefix too.
    """
    others = _unread(release.version)
    problems = []
    for name, variable in launch.env.items():
        if not name.startswith("VLLM_") or name in release.variables or name in INERT:
            continue
        if name in others and not _came_later(name, release.version):
            problems.append(
                Problem(
                    kind="removed-argument",
                    message=f"vLLM {release.version} no longer reads {name}",
                    locations=(variable.location, *variable.via),
                    argument=name,
                    suggestion="--attention-backend" if name == "VLLM_ATTENTION_BACKEND" else "",
                    fact="runtime.attention_backend" if name == "VLLM_ATTENTION_BACKEND" else "runtime.env",
                )
            )
            continue
        import difflib

        near = difflib.get_close_matches(name, release.variables, n=1, cutoff=0.9)
        if near:
            problems.append(
                Problem(
                    kind="unknown-argument",
                    message=f"vLLM {release.version} knows no variable {name} and ignores it",
                    locations=(variable.location, *variable.via),
                    argument=name,
                    suggestion=near[0],
                    fact="runtime.env",
                )
            )
    return problems


def _as_read(one: Observation, release: versions.Release) -> Observation:
    """A variable of vLLM's that the release does not read is as if it were not set."""
    if one.key not in _unread(release.version):
        return one
    why = f"vLLM {release.version} does not read it"
    return msgspec.structs.replace(one, value=None, because=(*one.because, why))


@functools.cache
def _known_variables() -> tuple[str, ...]:
    """The variables that some release of vLLM reads."""
    known = versions.stable(NAME)
    return known.variables if known is not None else ()


@functools.lru_cache(maxsize=16)
def _unread(version: str) -> frozenset[str]:
    """Variables of vLLM that other releases read and this one does not: what is set there changes nothing."""
    known, release = versions.stable(NAME), versions.load(NAME, version)
    return frozenset(known.variables).difference(release.variables) if known and release else frozenset()


def _came_later(name: str, version: str) -> bool:
    """Whether releases read a variable only after this one."""
    past = versions.history(NAME)
    steps = past.variables.get(name, ()) if past is not None else ()
    if past is None or not steps:
        return False
    return versions.release_key(past.releases[steps[0][0]]) > versions.release_key(version)


def _fixed(launch: Launch) -> list[Observation]:
    """What holds in every release: HTTP on all interfaces, and maps that are empty where nobody fills them."""
    likely: Origin = "engine-default"
    empty: dict[str, Value] = {
        "runtime.speculative": {},
        "runtime.rope_override": {},
        "runtime.hf_overrides": {},
        OTHER: {},
        "runtime.env": {},
        "serving.protocol": "http",
        "serving.listen_host": "0.0.0.0",
    }
    return [Observation(fact=fact, value=value, origin=likely) for fact, value in empty.items()]


def _defaults(
    launch: Launch, version: str | None, release: versions.Release | None, *, pooling: bool
) -> list[Observation]:
    """The defaults that are values: of exactly this release, else those that never differed, else unknown and why."""
    stable = versions.stable(NAME)
    tag = f"image {launch.image.text}" if launch.image is not None else ""
    why = defaults.why_unknown(version, tag, stable)
    found: list[Observation] = []
    for fact, argument in defaults.LITERAL.items():
        if release is not None:
            entry = release.arguments.get(argument)
            where = (release.where(entry),) if entry is not None else ()
            raw = defaults.literal(fact, argument, release)
            if raw is None:
                found.append(Observation(fact=fact, value=None, origin="engine-default", locations=where))
            elif isinstance(raw, Unknown):
                found.append(Observation(fact=fact, value=raw, origin="engine-default", locations=where))
            else:
                found.extend(observe(fact, raw, origin="engine-default", locations=where).observations)
        elif stable is not None and argument in stable.defaults:
            raw = defaults.spelled(fact, stable.defaults[argument])
            read = version in stable.releases
            because = ("the same in every release of vLLM that was read",)
            found.extend(
                observe(
                    fact,
                    raw,
                    origin="engine-default",
                    locations=(stable.where,),
                    confidence="certain" if read else "likely",
                    because=because,
                ).observations
            )
        else:
            found.append(Observation(fact=fact, value=Unknown(why), origin="engine-default"))
    if release is None:
        for fact in defaults.RULED:
            found.append(Observation(fact=fact, value=Unknown(why), origin="engine-default"))
    else:
        found.extend(defaults.options(release))
        entry = release.arguments.get("--guided-decoding-backend")
        found.append(
            Observation(
                fact="runtime.structured_output_backend",
                value=defaults.guided(release),
                origin="engine-default",
                locations=(release.where(entry),) if entry is not None else (),
            )
        )
        built = defaults.cuda(release)
        if built is not None and _own_image(launch):
            found.extend(
                observe(
                    "runtime.packages",
                    built[0],
                    origin="engine-default",
                    locations=(built[1],),
                    key="cuda",
                    confidence="likely",
                    because=("the image is built with the CUDA of the release's main wheel",),
                ).observations
            )
        if pooling:
            depends = Unknown("it depends on the pooling of the model, which no source shows")
            for fact in defaults.RULED:
                found.append(Observation(fact=fact, value=depends, origin="engine-default"))
    chosen = Unknown(
        "vLLM chooses it by GPU, model and dtype", observe_with="kubectl -n $NS logs $POD | grep -i 'attention backend'"
    )
    found.append(Observation(fact="runtime.attention_backend", value=chosen, origin="engine-default"))
    return found
