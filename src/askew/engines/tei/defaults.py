"""What TEI does where nothing is written: literal defaults as observations, computed ones as rules.

Sources: ``versions/``, and at the tags of https://github.com/huggingface/text-embeddings-inference
``backends/src/dtype.rs``, ``router/src/lib.rs`` (``run``), ``backends/candle/src/lib.rs`` and
``backends/ort/src/lib.rs`` (``max_batch_size``), ``Dockerfile`` and ``Dockerfile-cuda``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TypeAlias

import msgspec

from askew.engines import versions
from askew.engines.devices import USES, capability
from askew.engines.literal import engine_default, literals
from askew.engines.tei.flags import FLAGS, OTHER, POOLING
from askew.engines.tei.image import Made
from askew.engines.versions import Release, release_key
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.resolve.observation import Observation, Unknown
from askew.resolve.rule import Rule

Compute: TypeAlias = Callable[[Mapping[str, Value]], Value | Unknown]

_INFO = "curl -s $URL/info"
_ENV = "runtime.env"
_LENGTH = "model.embedding.max_seq_length"
# Decided at start, by the image, or by what a launch must say anyway.
_LEFT = frozenset(("model.id", "model.served_names", "serving.port", "serving.api_key_required", "runtime.dtype"))
_ABSENT: tuple[tuple[str, Value], ...] = (
    (OTHER, {}),
    (_ENV, {}),
    ("serving.api_key_required", False),
    ("model.trust_remote_code", False),
)
# Bytes of a request before there was --payload-limit: the framework's own, https://docs.rs/axum/0.6 DefaultBodyLimit
_AXUM = 2 * 1024 * 1024


class Era(msgspec.Struct, frozen=True, kw_only=True):
    """The release whose data hold, and why it is not sure to be the one that runs."""

    release: Release
    doubt: str = ""

    @property
    def key(self) -> tuple[int, ...]:
        """The release as a key that sorts."""
        return release_key(self.release.version)[:3]


@functools.lru_cache(maxsize=64)
def era(made: Made) -> Era | None:
    """The release that an image states, of a tag that moves the newest it can mean, else the nearest known."""
    if made.release is not None:
        near = versions.nearest("tei", made.release)
        if near is None:
            return None
        release, exact = near
        doubt = "" if exact else f"TEI {made.release} is not in this build; {release.version}, the nearest, does so"
        return Era(release=release, doubt=doubt)
    patches = [one for one in versions.releases("tei") if one.startswith(f"{made.series}.")] if made.series else []
    found = versions.load("tei", patches[-1]) if patches else None
    if found is None:
        return None
    return Era(release=found, doubt=f"the tag moves over the releases {made.series}.x; {found.version} does so")


@functools.lru_cache(maxsize=64)
def defaults(made: Made) -> tuple[Observation, ...]:
    """The literal defaults of a release in one of its builds; of an unknown release those that never changed."""
    now = era(made)
    cited = Location("tei router/src/main.rs")
    found = [*literals("tei", "TEI", now.release.version if now else None, FLAGS, leave=_LEFT)]
    found.extend(engine_default(fact, "", value, cited) for fact, value in _ABSENT)
    found.append(engine_default("serving.protocol", "", "grpc" if made.grpc else "http", cited))
    if made.official:
        found.append(engine_default("serving.port", "", 80, Location("tei Dockerfile-cuda")))
    elif not made.kind:
        found.append(engine_default("serving.port", "", 3000, cited))
    if now is not None:
        found.extend(_of_release(now, made))
    return tuple(_sure(now, _hop(one)) for one in found)


def _of_release(now: Era, made: Made) -> list[Observation]:
    release = now.release
    found: list[Observation] = []
    if "--payload-limit" not in release.arguments:
        where = Location(f"tei {release.version} router/src/server.rs")
        because = ("the web framework's own limit: the router sets none",)
        found.append(engine_default("serving.max_body.bytes", "", _AXUM, where, "likely", because))
    if "--auto-truncate" not in release.arguments:
        where = Location(f"tei {release.version} router/src/http/types.rs")
        found.append(engine_default(OTHER, "--auto-truncate", "false", where))
    if made.kind == "nvidia" and now.key >= (0, 4):
        # DEFAULT_USE_FLASH_ATTENTION of Dockerfile-cuda; the build for Turing turns it off.
        text = "false" if made.capability == "7.5" else "true"
        where = Location(f"tei {release.version} Dockerfile-cuda")
        found.append(engine_default(_ENV, "USE_FLASH_ATTENTION", text, where))
    return found


def forced(now: Era | None, made: Made) -> tuple[Value | Unknown, Location] | None:
    """The most requests of a batch on a CPU, whatever is asked for, with its place; None where nothing forces it."""
    if made.kind != "cpu" or now is None:
        return None
    candle, ort = (now.release.arguments.get(f"image cpu largest batch of {name}") for name in ("candle", "ort"))
    if ort is not None and candle is not None and now.key >= (1, 6):
        why = "8 with the ONNX weights of the model, 4 without; no source shows which it has"
        return Unknown(why, _INFO), now.release.where(ort)
    entry = ort or candle
    return (entry.value, now.release.where(entry)) if entry is not None else None


def _hop(found: Observation) -> Observation:
    return msgspec.structs.replace(found, hop="engine") if found.fact == "serving.max_body.bytes" else found


def _sure(now: Era | None, found: Observation) -> Observation:
    if now is None or not now.doubt:
        return found
    because = found.because if any("not in this build" in one for one in found.because) else (*found.because, now.doubt)
    return msgspec.structs.replace(found, confidence="likely", because=because)


@functools.lru_cache(maxsize=64)
def default_rules(made: Made) -> tuple[Rule, ...]:
    """The computed defaults of a release in one of its builds."""
    now = era(made)
    pooling = Rule(
        fact=POOLING, needs=(), compute=lambda known: Unknown(_POOLING, _INFO),
        because="without --pooling the model's own", rank=1,
    )  # fmt: skip
    tokenizer = Rule(
        fact="model.tokenizer.revision", needs=("model.revision",), compute=lambda known: known["model.revision"],
        because="TEI loads the tokenizer at --revision",
    )  # fmt: skip
    where = Location(f"tei {now.release.version} router/src/lib.rs") if now else None
    return (
        pooling,
        tokenizer,
        Rule(
            fact="runtime.dtype", needs=(), uses=("model.architecture",), compute=_dtype(now, made), location=where,
            because="by the build, without --dtype" + (f"; {now.doubt}" if now and now.doubt else ""),
            confidence="likely",
        ),
        Rule(
            fact="runtime.max_model_len", needs=(_LENGTH,), uses=("runtime.max_num_batched_tokens",),
            compute=_longest(now), because="the length that the model's configuration gives", confidence="likely",
            location=where,
        ),
        *_names(now),
        *_compiled(made),
    )  # fmt: skip


_POOLING = (
    "taken from 1_Pooling/config.json of the model, cls for a BERT without one; no source shows the model's files"
)


_MATRIX = Location("tei backends/candle/src/compute_cap.rs")


def _compiled(made: Made) -> tuple[Rule, ...]:
    """For which GPUs an image is compiled; the router ends on one that it does not fit (``compute_cap_matching``)."""
    if not made.capability:
        return ()

    def compute(known: Mapping[str, Value]) -> Value:
        found = capability(known)
        if found is None or made.capability == "all" or fits(made.capability, found):
            return made.capability
        return f"{made.capability}, which a GPU of {found} cannot run"

    return (
        Rule(
            fact=OTHER, key="compiled for compute capability", needs=(), uses=USES, compute=compute,
            because="the tag of the image names the GPUs it was compiled for", location=_MATRIX,
        ),
    )  # fmt: skip


def fits(compiled: str, runs: float) -> bool:
    """Whether a build for one compute capability runs on a GPU of another: ``compute_cap_matching``."""
    built = float(compiled)
    return built == runs or (8 <= built <= 8.6 and built <= runs < 9)


def _names(now: Era | None) -> tuple[Rule, ...]:
    if now is None or now.key < (1, 9):
        why = "the router gives no answer for its name" if now is None else "TEI before 1.9 answers to any model name"
        return (
            Rule(
                fact="model.served_names", needs=(), compute=lambda known: Unknown(why, missing=True),
                because="--served-model-name came with 1.9.0",
            ),
        )  # fmt: skip
    return (
        Rule(
            fact="model.served_names", needs=("model.id",),
            compute=lambda known: [known["model.id"]] if isinstance(known["model.id"], str) else Unknown("no model"),
            because="without --served-model-name the id of the model",
        ),
    )  # fmt: skip


def _dtype(now: Era | None, made: Made) -> Compute:
    def compute(known: Mapping[str, Value]) -> Value | Unknown:
        if now is None:
            return Unknown("decided by the release and its build, which are not known", _INFO)
        if now.key < (0, 2):
            return "float16"
        if made.kind == "cpu":
            # 0.2 had float32 for Apple's Accelerate alone.
            return "float16" if now.key < (0, 3) else "float32"
        if made.kind == "python":
            return "bfloat16" if now.key >= (1, 6, 1) else "float16"
        if made.kind != "nvidia":
            return Unknown("float32 of a build for CPUs, float16 of one for NVIDIA GPUs; nothing shows which", _INFO)
        architecture = str(known.get("model.architecture") or "").lower()
        if now.key >= (1, 8, 1) and architecture.startswith("gemma3text"):
            return "float32"
        return "float16"

    return compute


def _longest(now: Era | None) -> Compute:
    def compute(known: Mapping[str, Value]) -> Value | Unknown:
        length, tokens = known[_LENGTH], known.get("runtime.max_num_batched_tokens")
        if now is not None and now.key >= (1, 9) and isinstance(length, int) and isinstance(tokens, int):
            return min(length, tokens)
        return length

    return compute
