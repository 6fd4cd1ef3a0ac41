"""What TGI does where nothing is written: literal defaults as observations, computed ones as rules.

Sources: ``versions/``, read from https://github.com/huggingface/text-generation-inference/tags, and ``rules``.
"""

from __future__ import annotations

import functools
from collections.abc import Collection
from typing import Literal, TypeAlias

from askew.engines import versions
from askew.engines.literal import engine_default, literals
from askew.engines.tgi import rules
from askew.engines.tgi.flags import FLAGS, OTHER
from askew.engines.tgi.rules import INFO, Era
from askew.engines.versions import Default
from askew.evidence.launch import Token
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.resolve.images import read_image
from askew.resolve.observation import Observation, Unknown
from askew.resolve.rule import Rule

# Which build an image holds. plain: no image of Hugging Face, so nothing is known of its variables.
Build: TypeAlias = Literal["nvidia", "rocm", "intel", "gaudi", "neuron", "plain"]

_ENV = "runtime.env"
WIGGLE_ROOM = "TGI_WIGGLE_ROOM"
# Decided at start, by the image, or by what a launch must say anyway.
_LEFT = frozenset(("model.id", "serving.port", "serving.api_key_required"))
_ABSENT: tuple[tuple[str, Value], ...] = (
    ("runtime.speculative", None),
    (OTHER, {}),
    (_ENV, {}),
    ("runtime.rope_override", None),
    ("serving.api_key_required", False),
    ("serving.protocol", "http"),
    ("model.chat_template.source", None),
)
# Bytes of a request before there was --payload-limit: the framework's own, https://docs.rs/axum/0.7 DefaultBodyLimit
_AXUM = 2 * 1024 * 1024
# What a Dockerfile's variable means. They hold where the launch does not set the variable itself.
_BUILT_IN = {
    "ATTENTION": "runtime.attention_backend",
    "PREFIX_CACHING": "runtime.prefix_caching",
    "PREFILL_CHUNKING": "runtime.chunked_prefill",
}


def build(image: Token | None) -> Build:
    """Which build an image holds, by its repository and tag."""
    reference = read_image(image)
    if reference is None:
        return "plain"
    name, tag = reference.repository.rpartition("/")[2], reference.tag or ""
    if "gaudi" in name or "gaudi" in tag:
        return "gaudi"
    if "neuron" in name or "neuron" in tag:
        return "neuron"
    if name != "text-generation-inference":
        return "nvidia" if sagemaker(image) and "-gpu-" in tag else "plain"
    words = tag.split("-")
    return "rocm" if "rocm" in words else "intel" if "intel" in words or "cpu" in words else "nvidia"


def sagemaker(image: Token | None) -> bool:
    """Whether an image is one that Amazon publishes for SageMaker: another entrypoint starts the launcher there."""
    reference = read_image(image)
    return reference is not None and reference.repository.rpartition("/")[2].endswith("tgi-inference")


@functools.lru_cache(maxsize=64)
def era(version: str | None) -> Era | None:
    """The release whose rules hold: the one that runs, or the nearest; None where no release is known.

    Rules are those of 1.0.0 and later; of earlier releases the literal defaults are known.
    """
    near = versions.nearest("tgi", version)
    if near is None or (versions.release_key(version or "") < (1, 0)):
        return None
    release, exact = near
    because = "" if exact else f"TGI {version} is not in this build; {release.version}, the nearest, does so"
    return Era(release=release, exact=exact, because=because)


@functools.lru_cache(maxsize=64)
def defaults(
    version: str | None, made: Build, stated: Collection[str], on_sagemaker: bool = False
) -> tuple[Observation, ...]:
    """The literal defaults of a release; where no release is known, those that never changed.

    ``stated``: facts that the launch states. ``on_sagemaker``: the entrypoint passes ``--port 8080``.
    """
    found = list(literals("tgi", "TGI", version, FLAGS, leave=_LEFT))
    cited = Location("tgi launcher/src/main.rs")
    found = [_hop(one) for one in found]
    found.extend(engine_default(fact, "", value, cited) for fact, value in _ABSENT)
    if on_sagemaker:
        found.append(engine_default("serving.port", "", 8080, Location("tgi sagemaker-entrypoint.sh")))
    elif made == "plain":
        found.append(engine_default("serving.port", "", 3000, cited))
    elif made != "neuron":
        # The images of Hugging Face set PORT=80 in every release.
        found.append(engine_default("serving.port", "", 80, Location("tgi Dockerfile")))
    now = era(version)
    if now is None:
        found.append(engine_default("runtime.max_batch_total_tokens", "", Unknown("decided at warm-up", INFO), cited))
        return tuple(found)
    found.extend(_of_release(now, made))
    found.extend(
        _sure(now, engine_default(OTHER, key, words, Location(f"tgi {now.release.version} launcher/src/main.rs")))
        for fact, key, words in rules.in_words(now)
        if made in ("nvidia", "plain") and fact not in stated
    )
    return tuple(found)


def _of_release(now: Era, made: Build) -> list[Observation]:
    release = now.release
    cited = Location(f"tgi {release.version} launcher/src/main.rs")
    found: list[Observation] = []
    if "--payload-limit" not in release.arguments:
        because = ("the web framework's own limit: the router sets none",)
        where = Location(f"tgi {release.version} router/src/server.rs")
        found.append(engine_default("serving.max_body.bytes", "", _AXUM, where, "likely", because))
    answer = release.requests.get("/generate max_new_tokens")
    if answer is not None:
        tokens = answer.value if isinstance(answer.value, int) else "unlimited"
        found.append(engine_default("runtime.default_output_tokens", "", tokens, release.where(answer)))
    if made in ("nvidia", "rocm", "plain"):
        found.append(engine_default("runtime.max_num_seqs", "", None, cited))
    why = "decided at warm-up from free GPU memory"
    found.append(engine_default("runtime.max_batch_total_tokens", "", Unknown(why, INFO), cited))
    room = release.variables.get(WIGGLE_ROOM)
    if room is not None and room.value is not None:
        found.append(engine_default(_ENV, WIGGLE_ROOM, ratio_text(str(room.value)), release.where(room)))
    found.extend(_set_by_image(now, made))
    return [_hop(_sure(now, one)) for one in found]


def _set_by_image(now: Era, made: Build) -> list[Observation]:
    """What the images for other hardware set; on them the rules for CUDA do not hold."""
    found = []
    for name, fact in _BUILT_IN.items():
        entry = _built_in(now, made, name)
        if entry is not None:
            value = str(entry.value) if name == "ATTENTION" else str(entry.value) in ("1", "true", "True")
            because = (f"the image for this hardware sets {name}",)
            found.append(engine_default(fact, "", value, now.release.where(entry), "likely", because))
    entry = _built_in(now, made, "CUDA_GRAPHS")
    if entry is not None and str(entry.value) == "0":
        because = ("the image for this hardware sets CUDA_GRAPHS=0",)
        where = now.release.where(entry)
        found.append(engine_default("runtime.cuda_graph.sizes", "", [], where, "likely", because))
        found.append(engine_default("runtime.enforce_eager", "", True, where, "likely", because))
    return found


def _built_in(now: Era, made: Build, name: str) -> Default | None:
    return now.release.arguments.get(f"image {made} {name}") if made in ("rocm", "intel", "gaudi") else None


def ratio_text(text: str) -> str:
    """A share as text, in one spelling: ``0.90`` is ``0.9``."""
    try:
        return repr(float(text))
    except ValueError:
        return text


def _sure(now: Era, found: Observation) -> Observation:
    if now.exact:
        return found
    import msgspec

    return msgspec.structs.replace(found, confidence="likely", because=(*found.because, now.because))


def _hop(found: Observation) -> Observation:
    """The limit on bodies is the engine's, one hop of several."""
    if found.fact != "serving.max_body.bytes":
        return found
    import msgspec

    return msgspec.structs.replace(found, hop="engine")


def _undecided(reason: str, facts: Collection[str], *, missing: bool = False) -> tuple[Rule, ...]:
    unknown = Unknown(reason, INFO, missing=missing)
    return tuple(Rule(fact=fact, needs=(), compute=rules.always(unknown), because="decided at start") for fact in facts)


_AT_START = (
    "runtime.attention_backend",
    "runtime.prefix_caching",
    "runtime.chunked_prefill",
    "runtime.enforce_eager",
)
_LIMITS = ("runtime.max_model_len", "runtime.max_input_tokens", "runtime.max_num_batched_tokens")


@functools.lru_cache(maxsize=64)
def default_rules(version: str | None, made: Build) -> tuple[Rule, ...]:
    """The computed defaults of a release in one of its builds."""
    now = era(version)
    if now is None:
        reason = "decided by rules of the release, which is not known" if version is None else _not_read(version)
        weights = ("runtime.dtype", "runtime.quantization", "runtime.kv_cache.dtype", "runtime.default_output_tokens")
        changed = ("model.trust_remote_code", "runtime.gpu_memory_utilization", "runtime.max_num_seqs")
        facts = (*_AT_START, *_LIMITS, *weights, *changed)
        # Where only this build's knowledge ends, a release that it has differs in nothing that anyone knows of.
        unread = _undecided(reason, facts, missing=version is not None)
        return (*(rule for rule in rules.everywhere() if rule.fact not in facts), *unread)
    found = (*rules.everywhere(), *rules.limits(now), *rules.weights(now))
    if made in ("nvidia", "plain") or (made == "rocm" and now.key < (2, 3)):
        return (*found, *rules.attention(now), *rules.graphs(now))
    set_by_image = {_BUILT_IN[name] for name in _BUILT_IN if _built_in(now, made, name) is not None}
    if _built_in(now, made, "CUDA_GRAPHS") is not None:
        set_by_image |= {"runtime.enforce_eager"}
    reason = "decided at start by rules for this hardware, which are not in this build of Askew"
    if made == "rocm":
        found = (*found, *rules.graphs(now))
        set_by_image |= {"runtime.enforce_eager"}
    return (*found, *_undecided(reason, [fact for fact in _AT_START if fact not in set_by_image]))


def _not_read(version: str) -> str:
    return f"decided by rules of TGI {version}, which are not in this build of Askew"
