"""What SGLang does where nothing is written, as far as its source writes it: literal defaults, as observations.

They are those of ``versions/history.json``. What is computed at start is in ``rules`` and ``sizes``.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from askew.engines import versions
from askew.engines.literal import engine_default, literals
from askew.engines.sglang.flags import OTHER, flags
from askew.engines.sglang.sizes import Setting
from askew.engines.versions import Release, release_key
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.resolve.observation import Observation, Unknown

READ = "GET /get_server_info, or the server_args line of the start-up log"
TITLE = "SGLang"
_CITED = Location("sglang server_args.py")

# Facts whose default is a literal of the release.
_LITERAL = frozenset(
    (
        "model.tokenizer.mode",
        "model.trust_remote_code",
        "serving.port",
        "serving.listen_host",
        "runtime.tensor_parallel_size",
        "runtime.pipeline_parallel_size",
        "runtime.data_parallel_size",
        "runtime.prefix_caching",
        "runtime.cpu_offload.bytes",
        "runtime.generation_config",
        "runtime.role",
        "runtime.scheduler",
        "runtime.lora.max_adapters",
        "runtime.warmup",
    )
)
# What a release does that has no argument for it yet, where that is not in doubt.
_BEFORE: tuple[tuple[str, Value], ...] = (
    ("runtime.pipeline_parallel_size", 1),
    ("runtime.cpu_offload.bytes", 0),
    ("runtime.generation_config", "engine"),
    ("runtime.role", "both"),
    ("runtime.warmup", True),
)
# None there means "there is none", not "decide later".
_NONE: tuple[str, ...] = (
    "runtime.reasoning_parser",
    "runtime.tool_call_parser",
    "runtime.seed",
    "model.chat_template.source",
)
# Absent in every release unless written; what an argument without default says by being absent.
_ABSENT: tuple[tuple[str, Value], ...] = (
    ("runtime.speculative", None),
    (OTHER, {}),
    ("runtime.env", {}),
    ("runtime.hf_overrides", None),
    ("serving.api_key_required", False),
    ("serving.tls", False),
    ("serving.protocol", "http"),
)

# Options without a fact whose default changed, and what must be given for the option to matter: one of these.
_STATED: Mapping[str, tuple[str, ...]] = {
    "--log-requests-level": ("--log-requests",),
    "--lora-backend": ("--enable-lora", "--lora-paths"),
    "--hicache-write-policy": ("--enable-hierarchical-cache",),
    "--hicache-mem-layout": ("--enable-hierarchical-cache",),
    "--hicache-io-backend": ("--enable-hierarchical-cache",),
    "--hicache-storage-prefetch-policy": ("--hicache-storage-backend",),
    "--nsa-prefill-cp-mode": ("--enable-nsa-prefill-context-parallel",),
    "--sm-group-num": ("--enable-pdmux",),
}
# With a draft model these had defaults of their own, until start-up began to choose all three (0.4.4.post4).
_DRAFT = ("num_steps", "num_draft_tokens", "eagle_topk")


def release_of(version: str | None) -> Release | None:
    """The release that tells most about this one."""
    near = versions.nearest("sglang", version)
    return near[0] if near is not None else None


@functools.lru_cache(maxsize=64)
def defaults(version: str | None, given: frozenset[str]) -> tuple[Observation, ...]:
    """The literal defaults of a release; where it is not known, those that never changed.

    ``given`` are the arguments that are written: some options matter only with another one.
    """
    release = release_of(version)
    stated = [flag for flag in flags() if flag.names[0] in _STATED and not given.isdisjoint(_STATED[flag.names[0]])]
    chosen = [flag for flag in flags() if flag.fact in _LITERAL]
    found = list(literals("sglang", TITLE, version, (*chosen, *stated)))
    said = {one.fact for one in found}
    if release is not None:
        for fact, value in _BEFORE:
            if fact not in said:
                where = protocol(release) if fact == "runtime.generation_config" else None
                found.append(engine_default(fact, "", value, where or _CITED))
        for flag in stated:
            name = flag.names[0]
            if name not in release.arguments:
                lacking = Unknown(f"SGLang {release.version} has no {name}", missing=True)
                found.append(engine_default(OTHER, flag.key, lacking, _CITED))
        found += _draft(release, given)
    found += [engine_default(fact, "", None, _CITED) for fact in _NONE]
    found += [engine_default(fact, "", value, _CITED) for fact, value in _ABSENT]
    return tuple(found)


def _draft(release: Release, given: frozenset[str]) -> list[Observation]:
    """How far a draft model looks ahead where nobody says."""
    if "--speculative-algorithm" not in given:
        return []
    found = []
    for key in _DRAFT:
        entry = release.arguments.get("--speculative-" + key.replace("_", "-"))
        value: Value | Unknown = entry.value if entry is not None else None
        if value is None:
            value = Unknown("chosen at start by the architecture of the model (auto_choose_speculative_params)", READ)
        found.append(engine_default("runtime.speculative", key, value, release.where(entry) if entry else _CITED))
    return found


def protocol(release: Release) -> Location | None:
    """Where a release says what a chat request gets that leaves the sampling out."""
    entry = release.requests.get("/v1/chat/completions temperature")
    return release.where(entry) if entry is not None else None


def setting_of(version: str | None, given: Mapping[str, str]) -> Setting | None:
    """What the written arguments, each with its last value, say about how defaults are computed.

    ``--enable-dp-attention`` divides over ``--dp-size``, over all GPUs until 0.4.4, and became ``--attn-dp-size`` in
    0.5.22; it does nothing with one rank (``_handle_data_parallelism``).
    """
    release = release_of(version)
    if release is None:
        return None
    key = release_key(release.version)
    ranks: int | None = 1
    if "--enable-dp-attention" in given:
        ranks = _count(given.get("--tp-size" if key < (0, 4, 4, 0, 1, 1) else "--dp-size", "1"))
    elif "--attn-dp-size" in given:
        ranks = _count(given["--attn-dp-size"])
    hidden = next((name for name in ("--is-embedding", "--dllm-algorithm", "--device") if name in given), "")
    if hidden == "--device" and given[hidden] in ("cuda", ""):
        hidden = ""
    return Setting(key=key, attention_ranks=ranks, hidden=hidden)


def _count(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 6 else None
