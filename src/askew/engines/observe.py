"""From what was written to observations: one value, all arguments, the environment."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

import msgspec

from askew.engines.arguments import Given, Parsed, Unmapped, places
from askew.engines.flags import Flag
from askew.evidence.launch import Launch, Token, Variable
from askew.evidence.location import Location
from askew.evidence.redaction import is_redacted
from askew.facts.types import Value
from askew.facts.values.image import ImageReference
from askew.resolve.images import image_observations, read_image
from askew.resolve.observation import Confidence, Observation, Origin, Unknown
from askew.resolve.workload import Problem

# Variables that change what an engine does, whichever engine it is. Each prefix is the namespace that its project
# documents: NCCL, CUDA, ROCm, PyTorch, Triton (the compiler), Hugging Face, OpenMP, UCX, and the engines' own.
_PREFIXES = (
    "VLLM_ SGLANG_ SGL_ TGI_ NCCL_ RCCL_ CUDA_ CUBLAS_ CUDNN_ NVIDIA_ NVSHMEM_ HIP_ ROCR_ HSA_ ROCM_ MIOPEN_ "
    "AITER_ HF_ TRANSFORMERS_ TOKENIZERS_ SAFETENSORS_ OMP_ MKL_ KMP_ TORCH PYTORCH_ TRITON_ FLASHINFER_ "
    "FLASH_ATTENTION_ XFORMERS_ UCX_ GLOO_ LMCACHE_ MOONCAKE_ NIXL_ DG_ DEEPEP_ XLA_ TPU_ PJRT_ NEURON_ "
    "PT_HPU_ HABANA_ ASCEND_ HCCL_ ZE_ CCL_ RAY_ LD_PRELOAD LD_LIBRARY_PATH MALLOC_ PYTHONHASHSEED MASTER_ "
    "FI_"
)
RELEVANT_PREFIXES: tuple[str, ...] = tuple(_PREFIXES.split())

# Variables that begin like the above and change nothing that an answer or its speed depends on. A name that ends in a
# star stands for all that begin so.
_REASONS: Mapping[str, str] = {
    "logging": "NCCL_DEBUG* HCCL_DEBUG* UCX_LOG* HF_DEBUG RAY_DEDUP_LOGS RAY_COLOR_PREFIX "
    "RAY_DISABLE_DOCKER_CPU_WARNING TRANSFORMERS_VERBOSITY TRANSFORMERS_NO_ADVISORY_WARNINGS",
    "silences a warning; the tokens are the same": "TOKENIZERS_PARALLELISM",
    "a credential: it decides access, not behaviour": "HF_TOKEN HF_API_TOKEN HF_HUB_TOKEN",
    "where downloads are kept": "HF_HOME HF_HUB_CACHE HF_CACHE HF_DATASETS_CACHE HF_ASSETS_CACHE HF_XET_CACHE "
    "TRANSFORMERS_CACHE TORCH_HOME",
    "how weights are downloaded": "HF_ENABLE_HF_TRANSFER HF_HUB_ENABLE_HF_TRANSFER HF_HUB_DOWNLOAD_TIMEOUT "
    "HF_HUB_ETAG_TIMEOUT HF_HUB_DISABLE* HF_XET*",
    "where caches are kept": "TRITON_HOME TORCHINDUCTOR_CACHE_DIR TRITON_CACHE_DIR FLASHINFER_CACHE_DIR "
    "CUDA_CACHE_PATH TORCH_EXTENSIONS_DIR",
}
INERT: Mapping[str, str] = {name: reason for reason, names in _REASONS.items() for name in names.split()}
_INERT_STARTS: tuple[str, ...] = tuple(name[:-1] for name in INERT if name.endswith("*"))
_LOGGING = ("_LOG", "_LOGS", "_LOGGING", "_LOG_LEVEL", "_LOGGING_LEVEL", "_LOG_FILE", "_LOG_DIR", "_LOG_PATH")


def is_inert(name: str) -> bool:
    """Whether a variable changes nothing that an answer or its speed depends on, for any engine."""
    return name in INERT or name.startswith(_INERT_STARTS) or name.endswith(_LOGGING)


class Noted(msgspec.Struct, frozen=True):
    """What reading gave: observations, and what the engine would refuse."""

    observations: tuple[Observation, ...] = ()
    problems: tuple[Problem, ...] = ()
    mapped: int = 0
    unmapped: tuple[str, ...] = ()


def observe(
    fact_key: str,
    raw: Value,
    *,
    origin: Origin,
    locations: tuple[Location, ...] = (),
    key: str = "",
    order: int = 0,
    text: str = "",
    name: str = "",
    engine: str = "the engine",
    confidence: Confidence = "certain",
    because: tuple[str, ...] = (),
    suggestion: str = "",
) -> Noted:
    """One observation of ``fact_key`` from ``raw`` in any spelling that the fact's type reads.

    ``text`` is how it was written, ``name`` the argument or variable that said it. A value that cannot be read gives
    an observation whose value is unknown, and a problem that says what was expected; it never raises.
    """
    from askew.facts.catalogue import fact

    written = text if text or raw is None or isinstance(raw, (dict, list)) else str(raw)
    try:
        value: Value | Unknown = (
            None if raw is None else fact(fact_key).type.parse({key: raw} if key and fact(fact_key).type.keyed else raw)
        )
        if key and isinstance(value, dict):
            value = value[key]
    except ValueError as error:
        return refused(
            fact_key,
            written,
            str(error),
            origin=origin,
            locations=locations,
            key=key,
            order=order,
            name=name,
            engine=engine,
            suggestion=suggestion,
        )
    found = Observation(
        fact=fact_key, value=value, origin=origin, locations=locations, key=key, order=order, raw=written,
        confidence=confidence, because=because,
    )  # fmt: skip
    return Noted((found,))


def refused(
    fact_key: str,
    text: str,
    why: str,
    *,
    origin: Origin,
    locations: tuple[Location, ...],
    key: str = "",
    order: int = 0,
    name: str = "",
    engine: str = "the engine",
    suggestion: str = "",
) -> Noted:
    """What follows from a value that the engine refuses: the fact is unknown, and the problem says why."""
    if is_redacted(text):  # what was written is gone, and may have been right
        hidden = Unknown("the value was taken for a secret and redacted", text=text)
        unseen = Observation(fact=fact_key, value=hidden, origin=origin, locations=locations, key=key, order=order)
        return Noted((unseen,))
    says = f"{engine} refuses {text!r}" + (f" for {name}" if name else "")
    return Noted(
        (
            Observation(
                fact=fact_key, value=Unknown(says, text=text), origin=origin, locations=locations, key=key, order=order,
                raw=text,
            ),
        ),
        (
            Problem(
                kind="invalid-value", message=f"{says}: {why}", locations=locations, argument=name, value=text,
                suggestion=suggestion, fact=fact_key,
            ),
        ),
    )  # fmt: skip


def strays(parsed: Parsed, title: str) -> tuple[Problem, ...]:
    """Plain words that no argument takes, of engines that end where they meet one."""
    return tuple(
        Problem(
            kind="malformed",
            message=f"{title} refuses the stray word {word.text!r}: no argument takes it",
            locations=places(word),
            value=word.text,
        )
        for word in parsed.positionals
        if word.unknown is None and word.text.strip() and not set(word.text) & set("{}$<>|&;()`")
    )


def read_arguments(
    parsed: Parsed,
    *,
    engine: str,
    origin: Origin = "explicit",
    deferred: Mapping[str, Collection[str]] = {},
) -> Noted:
    """Observations of all arguments of a launch, with the problems of the parser and of the values.

    ``deferred`` names, by an argument's canonical name, the values that mean "decide yourself" (``auto``): such an
    argument says no more than its absence, and takes back what an earlier one said.
    """
    observations: list[Observation] = []
    problems = list(parsed.problems)
    last: dict[int, int] = {}
    for place, given in enumerate(parsed.given):
        last[id(given.flag)] = place
        if given.flag.names[0] in deferred and _word(given).lower() in deferred[given.flag.names[0]]:
            last[id(given.flag)] = -place - 1
    for place, given in enumerate(parsed.given):
        flag, final = given.flag, last[id(given.flag)]
        if flag.irrelevant or (final < 0 and place <= -final - 1):
            continue
        # Entries of a map from an earlier argument would survive beside the later ones; the engine drops them.
        if place != final and flag.takes != "append" and (flag.spreads is not None or flag.takes in ("json", "list")):
            continue
        noted = read_given(given, engine=engine, origin=origin)
        observations.extend(noted.observations)
        problems.extend(noted.problems)
    for unmapped in parsed.unmapped:
        observations.append(_as_observation(unmapped, origin))
    return Noted(
        tuple(observations),
        tuple(problems),
        mapped=len(parsed.given),
        unmapped=tuple(one.name for one in parsed.unmapped if not one.reason),
    )


def read_given(given: Given, *, engine: str, origin: Origin = "explicit") -> Noted:
    """The observations of one argument."""
    flag, tokens = given.flag, (given.name, *given.values)
    where = places(*(given.values or (given.name,)))
    spelled, text = given.spelled, " ".join(value.text for value in given.values)
    doubt = given.fault or next((token.unknown for token in tokens if token.unknown), "")
    if doubt:
        unknown = Unknown(doubt, text=text or given.name.text)
        if flag.fact:
            return Noted((_observation(flag.fact, unknown, origin, where, flag.key, given.order, text),))
        return Noted(
            (_observation("runtime.arguments.unmapped", unknown, origin, where, flag.names[0], given.order, text),)
        )
    words = tuple(value.text for value in given.values)
    if flag.choices and words and words[0] not in flag.choices:
        return refused(
            flag.fact, text, f"expected one of {', '.join(flag.choices)}", origin=origin, locations=where, key=flag.key,
            order=given.order, name=spelled, engine=engine, suggestion=_nearest(words[0], flag.choices),
        )  # fmt: skip
    try:
        if flag.spreads is not None:
            parts = flag.spreads(words)
        else:
            parts = ((flag.fact, flag.key, _raw(flag, words, given.negated)),)
    except ValueError as error:
        fact_key = flag.fact or "runtime.arguments.unmapped"
        key = flag.key if flag.fact else flag.names[0]
        return refused(
            fact_key,
            text,
            str(error),
            origin=origin,
            locations=where,
            key=key,
            order=given.order,
            name=spelled,
            engine=engine,
        )
    observations: list[Observation] = []
    problems: list[Problem] = []
    for fact_key, key, raw in parts:
        noted = observe(
            fact_key,
            raw,
            origin=origin,
            locations=where,
            key=key,
            order=given.order,
            text=text or spelled,
            name=spelled,
            engine=engine,
        )
        observations.extend(noted.observations)
        problems.extend(noted.problems)
    return Noted(tuple(observations), tuple(problems))


def environment(
    launch: Launch,
    *,
    expressed: Collection[str] = (),
    inert: Collection[str] = (),
    reads: Collection[str] = (),
    prefixes: Iterable[str] = RELEVANT_PREFIXES,
) -> tuple[Observation, ...]:
    """``runtime.env``, one observation for each variable that can change what an engine does.

    Without those in ``expressed`` (another fact says the same) and without what changes nothing: ``inert``, ``INERT``.
    ``reads`` are the engine's own variables, where all of them are known: another one that a script or a manifest put
    into the arguments is said by these.
    """
    starts = tuple(prefixes)
    found = []
    for name, variable in launch.env.items():
        if not name.startswith(starts) or name in expressed or name in inert or is_inert(name):
            continue
        if _only_arguments(name, reads) and _is_in_arguments(variable, launch.argv):
            continue
        found.append(
            _observation(
                "runtime.env",
                variable_value(variable),
                "env",
                (variable.location, *variable.via),
                name,
                0,
                variable.value or "",
            )
        )
    return tuple(found)


# Prefixes that scripts around an engine use, too; what begins otherwise (NCCL_, CUDA_) a library may read as well.
_ENGINES_OWN = ("VLLM_", "SGLANG_", "SGL_", "TGI_")
_ARGUMENTS = ("_ARGS", "_ARGUMENTS", "_FLAGS", "_OPTS", "_OPTIONS")


def _only_arguments(name: str, reads: Collection[str]) -> bool:
    """Whether the engine itself does not read a variable: it has no such one, or, as far as nobody knows them all, the
    name says that it holds arguments."""
    if not name.startswith(_ENGINES_OWN) or name in reads:
        return False
    return bool(reads) or name.endswith(_ARGUMENTS)


def _is_in_arguments(variable: Variable, argv: tuple[Token, ...]) -> bool:
    """Whether all that the variable holds stands in words that came from it."""
    if not variable.value or variable.unknown is not None:
        return False
    homes = {_home(at) for at in (variable.location, *variable.via)}
    # A word that stands where the variable does, and came from nowhere, is another one of the same script.
    expanded = [token for token in argv if token.via]
    supplied = [token.text for token in expanded if any(_home(at) in homes for at in (token.location, *token.via))]
    if any(variable.value in text for text in supplied):
        return True
    import shlex

    try:
        words = shlex.split(variable.value)
    except ValueError:
        return False
    return bool(words) and all(word in supplied for word in words)


def _home(at: Location) -> tuple[object, ...]:
    """The field in which a place lies; the place itself where it lies in none."""
    return (at.source, at.object, at.path) if at.path else (at.source, at.line, at.column)


def identity(
    name: str,
    launch: Launch,
    *,
    title: str,
    states: Callable[[ImageReference], str | None],
) -> tuple[tuple[Observation, ...], str | None]:
    """Which engine, which release, which image: the observations that every engine makes, and the release that runs.

    ``states`` tells the release of the engine that a reference states, or None: the tag of a vendor's image often
    counts the vendor's own releases.
    """
    image = launch.image
    reference = read_image(image)
    version = states(reference) if reference is not None else None
    where = (image.location, *image.via) if image is not None else ()
    value: Value | Unknown = version
    if version is None:
        if image is None:
            why = f"no image and no package says which release of {title} runs"
        elif reference is None:
            why = image.unknown or f"{image.text!r} is no image reference"
        elif reference.tag is None:
            why = "the image has no tag that states a release"
        else:
            why = f"the image tag {reference.tag} does not state a release of {title}"
        look = "ask the running engine: GET /version or its start-up log"
        value = Unknown(why, observe_with=look, missing=image is None)
    raw = image.text if image is not None else ""
    found = [
        Observation(
            fact="runtime.engine.name", value=name, origin="derived", locations=where, because=(f"runs {title}",)
        ),
        Observation(fact="runtime.engine.version", value=value, origin="explicit", locations=where, raw=raw),
    ]
    if image is not None:
        found.extend(image_observations(image))
    return tuple(found), launch.release or version


def variable_value(variable: Variable) -> Value | Unknown:
    """The text of a variable, or why it is not known."""
    if variable.unknown is not None:
        return Unknown(variable.unknown, text=variable.value or "")
    if variable.value is None:
        return Unknown(f"the value of {variable.name} could not be seen")
    return variable.value


def _raw(flag: Flag, words: tuple[str, ...], negated: bool) -> Value:
    if flag.takes in ("switch", "toggle") or (flag.takes == "optional" and not words):
        if negated:
            return not flag.implies
        return flag.implies
    if flag.read is not None:
        return flag.read(words)
    if flag.takes == "list":
        return list(words)
    return words[0]


def _word(given: Given) -> str:
    return given.values[0].text.strip() if len(given.values) == 1 and given.values[0].unknown is None else "\0"


def _as_observation(unmapped: Unmapped, origin: Origin) -> Observation:
    reason = unmapped.reason or next((value.unknown for value in unmapped.values if value.unknown), unmapped.gone)
    written = unmapped.token.text if not unmapped.gone else unmapped.text
    value: Value | Unknown = Unknown(reason, text=written) if reason else unmapped.text
    where = places(unmapped.token, *unmapped.values)
    return _observation(
        "runtime.arguments.unmapped", value, origin, where, unmapped.name, unmapped.order, unmapped.text
    )


def _observation(
    fact: str, value: Value | Unknown, origin: Origin, locations: tuple[Location, ...], key: str, order: int, raw: str
) -> Observation:
    return Observation(fact=fact, value=value, origin=origin, locations=locations, key=key, order=order, raw=raw)


def _nearest(text: str, choices: Collection[str]) -> str:
    import difflib

    near = difflib.get_close_matches(text.lower(), choices, n=1, cutoff=0.6)
    return near[0] if near else ""
