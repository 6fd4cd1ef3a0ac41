"""Reads launches of LMDeploy: ``lmdeploy serve api_server`` and ``lmdeploy serve gradio``."""

from __future__ import annotations

import functools

import msgspec

from askew.engines import hub, versions
from askew.engines.arguments import ARGPARSE, Table, table
from askew.engines.composed import composed
from askew.engines.flags import Flag
from askew.engines.interface import Reading
from askew.engines.lmdeploy.defaults import default_rules, defaults
from askew.engines.lmdeploy.flags import FLAGS, OTHER
from askew.engines.observe import identity
from askew.evidence.launch import Launch, Token
from askew.facts.values.image import ImageReference
from askew.resolve.observation import Observation

_UNSUPPORTED = {
    "model.code_revision": "LMDeploy loads remote code at --revision",
    "model.tokenizer.source": "LMDeploy loads the tokenizer with the model",
    "model.tokenizer.mode": "LMDeploy has no such setting",
    "runtime.chunked_prefill": "LMDeploy always splits prompts longer than --max-prefill-token-num",
    "runtime.cpu_offload.bytes": "LMDeploy keeps all weights on the GPU",
    "runtime.swap.bytes": "LMDeploy has no swap space to set",
    "runtime.lora.max_rank": "LMDeploy has no limit on the rank of adapters",
    "runtime.seed": "LMDeploy takes seeds from requests only",
    "runtime.load_format": "LMDeploy has no such setting; --model-format says how the weights are quantized",
    "runtime.max_input_tokens": "LMDeploy bounds a prompt by --session-len only",
    "runtime.max_output_tokens": "LMDeploy bounds an answer by --session-len only",
}
_SPREAD = {
    "model.lora_adapters": "--adapters",
    "runtime.lora.enabled": "--adapters",
    "runtime.kv_cache.dtype": "--quant-policy",
    "runtime.expert_parallel": "--ep",
    "runtime.speculative": "--speculative-algorithm",
}
# Where nothing else is known these say no more than their absence: of turbomind LMDeploy falls back to pytorch.
_AUTOMATIC = {"--dtype": ("auto",), "--backend": ("turbomind",)}
_OWN = ("LMDEPLOY_", "TM_")
_INERT = (
    *("TM_LOG_LEVEL", "LMDEPLOY_LOG_PID", "LMDEPLOY_PROFILE_*", "LMDEPLOY_RAY_TIMELINE_*", "LMDEPLOY_RAY_NSYS_*"),
    *("LMDEPLOY_ENABLE_CHECK_ENV", "LMDEPLOY_HEALTH_*", "LMDEPLOY_CONTROLLER_HEART_BEAT_EXPIRATION"),
)
# Every option may be spelled with underscores from here on: FlexibleArgumentParser of lmdeploy/cli/utils.py.
_FLEXIBLE = "0.9.2"
_PLAIN = msgspec.structs.replace(ARGPARSE, negations=())
_LENIENT = msgspec.structs.replace(ARGPARSE, negations=(), underscores=True, dotted=True)


class LMDeploy(msgspec.Struct, frozen=True):
    """The engine. Pure: a launch in, observations out."""

    name: str
    unsupported: dict[str, str]

    def read(self, launch: Launch) -> Reading:
        """See ``Engine.read``."""
        identified, version = identity("lmdeploy", launch, title="LMDeploy", states=_release)
        split = arguments(launch)
        if split is None:
            from askew.engines.unrecognised import read

            return read(launch)
        program, words = split
        flags = table_of(version)
        stable = versions.stable("lmdeploy")
        reading = composed(
            launch,
            words,
            flags,
            identified=identified,
            version=version,
            own=_OWN,
            reads=stable.variables if stable else (),
            inert=_INERT,
            deferred=_AUTOMATIC,
            defaults=defaults(version, program),
            rules=default_rules(version),
            positionals=1,
        )
        model = _model(words, flags)
        near = versions.nearest("lmdeploy", version)
        release = near[0] if near is not None else None
        observations = [hub.pinned(one) for one in reading.observations if not _is_default(one, release)]
        observations.extend(model)
        observations.extend(hub.unpinned(observations))
        return msgspec.structs.replace(reading, observations=tuple(observations))

    def flag_for(self, fact: str, version: str | None) -> str | None:
        """See ``Engine.flag_for``."""
        names = table_of(version).names
        spread = _SPREAD.get(fact)
        for flag in FLAGS:
            if flag.fact == fact if spread is None else flag.names[0] == spread:
                entry = names.get(flag.names[0])
                if entry is not None and entry.alive and entry.current:
                    return flag.names[0]
        return None


ENGINE = LMDeploy("lmdeploy", _UNSUPPORTED)


def arguments(launch: Launch) -> tuple[str, tuple[Token, ...]] | None:
    """Which server is started, and the words after its name; None where the words start something else."""
    argv = launch.argv
    for index, token in enumerate(argv):
        if token.text in ("api_server", "gradio") and index >= 2 and argv[index - 1].text == "serve":
            return token.text, argv[index + 1 :]
    return None


def _release(reference: ImageReference) -> str | None:
    """Tags of openmmlab's images are the package's releases (``v0.9.2-cu12``)."""
    from askew.facts.values.version import image_tag_version

    if reference.repository.rpartition("/")[2] not in ("lmdeploy", "lmdeploy-builder", "lmdeploy-ascend"):
        return None
    return image_tag_version(reference.tag) if reference.tag else None


def spanned(flags: tuple[Flag, ...], engine: str) -> tuple[Flag, ...]:
    """The flags with the releases that had them, from the history of the engine; once for each time it came."""
    history = versions.history(engine)
    if history is None:
        return flags
    found: list[Flag] = []
    for flag in flags:
        spans = history.spans(flag.names[0])
        found.extend(msgspec.structs.replace(flag, since=since, until=until) for since, until in spans)
        if not spans:
            found.append(flag)
    return tuple(found)


@functools.lru_cache(maxsize=8)
def table_of(version: str | None) -> Table:
    """The arguments of a release, or of all where it is not known."""
    lenient = version is None or versions.release_key(version) >= versions.release_key(_FLEXIBLE)
    return table(
        spanned(FLAGS, "lmdeploy"),
        _LENIENT if lenient else _PLAIN,
        title="LMDeploy",
        version=version,
        releases=versions.releases("lmdeploy"),
    )


def _model(words: tuple[Token, ...], flags: Table) -> list[Observation]:
    """The one plain word: a name at the Hub, or a folder."""
    from askew.engines.arguments import parse

    parsed = parse(words, flags)
    if not parsed.positionals:
        return []
    return hub.named_by(parsed.positionals[0])


def _is_default(found: Observation, release: versions.Release | None) -> bool:
    """Whether an argument without a fact says what the release does anyway."""
    if found.fact != OTHER or found.origin != "explicit" or not isinstance(found.value, str):
        return False
    stable = versions.stable("lmdeploy")
    if release is not None:
        entry = release.arguments.get(found.key)
        default = entry.value if entry is not None else None
    else:
        default = stable.defaults.get(found.key) if stable is not None else None
    if default is None:
        return False
    try:
        return found.value == str(default) or float(found.value) == float(str(default))
    except ValueError:
        return False
