"""What Infinity does where nothing is written: literal defaults as observations, computed ones as rules.

Sources: ``versions/``, and of the packages at https://pypi.org/project/infinity-emb/#history ``args.py`` (names) and
``inference/loading_strategy.py`` (dtype), before 0.0.68 ``transformer/embedder/sentence_transformer.py``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TypeAlias

import msgspec

from askew.engines import versions
from askew.engines.devices import USES, capability
from askew.engines.infinity.flags import MODEL, OTHER, POOLING, SERVER
from askew.engines.literal import engine_default, literals
from askew.engines.versions import Release, release_key
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.resolve.observation import Observation, Unknown
from askew.resolve.rule import Rule

Compute: TypeAlias = Callable[[Mapping[str, Value]], Value | Unknown]

_MODELS = "curl -s $URL/models"
_LOG = "the start-up log"
_STRATEGY = "infinity_emb/inference/loading_strategy.py"
_EMBEDDER = "infinity_emb/transformer/embedder/sentence_transformer.py"
# Decided at start, or by what a launch must say anyway.
_LEFT = frozenset(("model.id", "model.served_names", "serving.api_key_required", POOLING))
_ABSENT: tuple[tuple[str, Value], ...] = (
    (OTHER, {}),
    ("runtime.env", {}),
    ("serving.api_key_required", False),
    ("serving.protocol", "http"),
)


def known(version: str | None) -> tuple[Release, str] | None:
    """The release that runs, or the nearest with why it is not sure."""
    near = versions.nearest("infinity", version)
    if near is None:
        return None
    release, exact = near
    doubt = "" if exact else f"Infinity {version} is not in this build; {release.version}, the nearest, does so"
    return release, doubt


@functools.lru_cache(maxsize=64)
def defaults(version: str | None) -> tuple[Observation, ...]:
    """The literal defaults of a release; where no release is known, those that never changed."""
    found = list(literals("infinity", "Infinity", version, (*MODEL, *SERVER), leave=_LEFT))
    cited = Location("infinity infinity_emb/infinity_server.py")
    found.extend(engine_default(fact, "", value, cited) for fact, value in _ABSENT)
    now = known(version)
    if now is None:
        because = ("every release since 0.0.23, the first with the argument, trusts it",)
        one = engine_default("model.trust_remote_code", "", True, cited, "likely")
        return (*found, msgspec.structs.replace(one, because=because))
    release, doubt = now
    for name, fact, key in (
        ("INFINITY_QUEUE_SIZE", "serving.queue", "max_requests"),
        ("INFINITY_MAX_CLIENT_BATCH_SIZE", OTHER, "INFINITY_MAX_CLIENT_BATCH_SIZE"),
    ):
        entry = release.variables.get(name)
        if entry is not None and entry.value is not None and str(entry.value).isdecimal():
            value: Value = int(str(entry.value)) if fact != OTHER else str(entry.value)
            one = engine_default(fact, key, value, release.where(entry))
            found.append(msgspec.structs.replace(one, confidence="likely", because=(doubt,)) if doubt else one)
    return tuple(found)


@functools.lru_cache(maxsize=64)
def default_rules(version: str | None) -> tuple[Rule, ...]:
    """The computed defaults of a release."""
    now = known(version)
    because = "by the device, without --dtype"
    where = None
    if now is not None:
        release, doubt = now
        because += f"; {doubt}" if doubt else ""
        at = _STRATEGY if release_key(release.version)[:3] >= (0, 0, 68) else _EMBEDDER
        where = Location(f"infinity {release.version} {at}")
    unsure: tuple[Rule, ...] = ()
    if now is None:
        batch = Unknown("64 requests in old releases and 32 since 0.0.28; the release is not known", _LOG)
        unsure = (
            Rule(
                fact="runtime.max_num_seqs", needs=(), compute=lambda facts: batch, because="the default changed",
            ),
        )  # fmt: skip
    return (
        *unsure,
        Rule(
            fact="model.tokenizer.revision", needs=("model.revision",), compute=lambda facts: facts["model.revision"],
            because="Infinity loads the tokenizer at --revision",
        ),
        Rule(
            fact="model.served_names", needs=("model.id",), compute=_name,
            because="without --served-model-name the last two parts of the model's id",
        ),
        Rule(
            fact=POOLING, needs=(), compute=lambda facts: Unknown(_POOLING, _LOG), because="--pooling-method is auto",
            rank=1,
        ),
        Rule(
            fact="runtime.quantization", needs=(), compute=_quantization, uses=(OTHER,),
            because="nothing but --dtype int8 and fp8 quantizes what torch runs", confidence="likely",
        ),
        Rule(
            fact="runtime.dtype", needs=(), compute=_dtype(now[0] if now else None), because=because,
            uses=(OTHER, *USES, "hardware.gpu.vendor", "hardware.gpu.count"),
            confidence="likely", location=where,
        ),
    )  # fmt: skip


_POOLING = "taken from the model's Sentence Transformers configuration, which no source shows"


def _name(facts: Mapping[str, Value]) -> Value | Unknown:
    model = facts["model.id"]
    if not isinstance(model, str) or not model:
        return Unknown("the model is not known", _MODELS)
    return ["/".join(model.split("/")[-2:])]


def _option(facts: Mapping[str, Value], name: str) -> str:
    options = facts.get(OTHER)
    value = options.get(name) if isinstance(options, dict) else None
    return value if isinstance(value, str) else ""


def _quantization(facts: Mapping[str, Value]) -> Value | Unknown:
    if _option(facts, "--engine") in ("optimum", "ctranslate2"):
        return Unknown("quantized files are taken where the model has them", _LOG)
    return "none"


def _dtype(release: Release | None) -> Compute:
    def compute(facts: Mapping[str, Value]) -> Value | Unknown:
        if release is None:
            return Unknown("decided by the release, which is not known, and the device", _LOG)
        key = release_key(release.version)[:3]
        if _option(facts, "--engine") not in ("", "torch"):
            return Unknown("the engine takes the dtype of the files that it finds", _LOG)
        device = _device(facts)
        if device == "":
            return Unknown("half precision on a GPU, float32 on a CPU; no source shows the device", _LOG)
        if device != "cuda" or key < (0, 0, 12):
            return "float32"  # before 0.0.12 half precision had to be asked for
        if key < (0, 0, 68):
            return "float16"
        found = capability(facts)
        if found is None:
            return Unknown("bfloat16 on GPUs that have it, else float16; no source shows the GPU", _LOG)
        return "bfloat16" if found >= 8 else Unknown("bfloat16 or float16, as PyTorch tells of this GPU", _LOG)

    return compute


def _device(facts: Mapping[str, Value]) -> str:
    asked = _option(facts, "--device")
    if asked not in ("", "auto"):
        return asked
    if facts.get("hardware.gpu.count") == 0:
        return "cpu"
    if facts.get("hardware.gpu.vendor") in ("nvidia", "amd") or capability(facts) is not None:
        return "cuda"
    return ""
