"""Reads launches of SGLang."""

from __future__ import annotations

import functools
import re

import msgspec

from askew.engines import versions
from askew.engines.arguments import ARGPARSE, Parsed, Table, parse, places, table
from askew.engines.interface import Reading
from askew.engines.observe import environment, identity, read_arguments
from askew.engines.sglang.defaults import default_rules, defaults
from askew.engines.sglang.flags import OTHER, flags, source
from askew.evidence.launch import Content, Launch, Token
from askew.facts.types import Value
from askew.facts.values.image import ImageReference
from askew.resolve.observation import Observation, Unknown
from askew.resolve.rule import Rule
from askew.resolve.workload import Problem

_MODULES = ("sglang.launch_server", "sglang.srt.server")
_SCRIPTS = ("sglang/launch_server.py", "sglang/srt/server.py")
_ENTRYPOINTS = ("sglang.srt.entrypoints.", "sglang/srt/entrypoints/")

# Arguments whose value "auto" (or the default that never changed) says no more than their absence.
_AUTOMATIC = {"--dtype": ("auto",), "--kv-cache-dtype": ("auto",), "--grammar-backend": ("none",)}
_FROM_TEMPLATE = ("runtime.reasoning_parser", "runtime.tool_call_parser")
_MOVING = frozenset(("", "main", "master", "head", "latest", "refs/heads/main"))

# Logs, traces, profiles, dumps and caches on disk; names from `sglang/srt/environ.py`.
_INERT_NAME = re.compile(
    r"SGLANG_(?:LOG_\w+|\w*_LOG_\w+|TRACE_\w+|PROFILE_\w+|TORCH_PROFILER_DIR|CUDA_COREDUMP\w*|OTLP_\w+|RECORD_STEP_TIME|"
    r"PYSPY_DUMP_BEFORE_CRASH|\w*CACHE_DIR|IS_IN_CI\w*|EXPERT_DISTRIBUTION_RECORDER_DIR|ENABLE_METRICS_\w+|"
    r"JIT_CACHE_DEBUG|DISABLE_REQUEST_LOGGING)"
)


# Arguments that only the server for image and video models has: ``multimodal_gen/runtime/server_args`` of 0.5.23.
_DIFFUSION = frozenset(
    (
        "--num-gpus",
        "--backend",
        "--ulysses-degree",
        "--ring-degree",
        "--sp-degree",
        "--enable-cfg-parallel",
        "--cfg-parallel-size",
        "--dit-cpu-offload",
        "--dit-layerwise-offload",
        "--vae-cpu-offload",
        "--text-encoder-cpu-offload",
        "--image-encoder-cpu-offload",
        "--pipeline-class-name",
        "--performance-mode",
        "--use-fsdp-inference",
        "--cache-dit-config",
        "--pin-cpu-memory",
    )
)

_SPREAD = {
    "model.source": "--model-path",
    "model.lora_adapters": "--lora-paths",
    "runtime.max_num_batched_tokens": "--chunked-prefill-size",
    "runtime.chunked_prefill": "--chunked-prefill-size",
    "runtime.expert_parallel": "--ep-size",
}


_UNSUPPORTED = {
    "model.code_revision": "SGLang loads remote code at --revision",
    "runtime.swap.bytes": "SGLang has no swap space: it retracts requests and computes them again",
    "runtime.max_input_tokens": "SGLang bounds a prompt by the context length only",
    "runtime.max_output_tokens": "SGLang has no cap on output; a client's max_tokens and the context length bound it",
    "runtime.default_output_tokens": "SGLang has no setting for it; each endpoint has its own",
    "runtime.max_concurrent_requests": "SGLang queues without a limit; --max-queued-requests bounds the queue "
    "(runtime.scheduler)",
    "runtime.rope_override": "SGLang takes it as part of --json-model-override-args (runtime.hf_overrides)",
}


class SGLang(msgspec.Struct, frozen=True):
    """The engine. Pure: a launch in, observations out."""

    name: str
    unsupported: dict[str, str]

    def read(self, launch: Launch) -> Reading:
        """See ``Engine.read``."""
        identified, version = identity("sglang", launch.image, title="SGLang", states=_release)
        given_words = arguments(launch)
        if given_words is None:
            from askew.engines.unrecognised import read

            return read(launch)
        words, configured, hidden = _with_config(launch, given_words)
        parsed = parse(words, _table(version))
        title = f"SGLang {version}" if version else "SGLang"
        noted = read_arguments(parsed, engine=title, deferred=_deferred())
        observations = [*identified, *(_settled(one) for one in noted.observations)]
        observations.extend(environment(launch, inert=[name for name in launch.env if _INERT_NAME.fullmatch(name)]))
        problems = [*configured, *noted.problems, *_strays(parsed, title)]
        diffusion = _is_diffusion(launch, noted.unmapped, noted.observations)
        if diffusion:
            problems = [one for one in problems if one.kind not in ("unknown-argument", "malformed")]
        observations.extend(_sources(observations, launch))
        rules: tuple[Rule, ...] = ()
        if hidden is None and not diffusion:
            given = {one.flag.names[0] for one in parsed.given}
            observations.extend(defaults(version))
            rules = default_rules(version, frozenset(given & _SWITCHED))
            observations.extend(_unpinned(observations))
        elif hidden is not None:
            observations.append(hidden)
        return Reading(
            observations=tuple(observations),
            rules=rules,
            problems=tuple(problems),
            version=version,
            mapped=noted.mapped,
            unmapped=noted.unmapped,
        )

    def flag_for(self, fact: str, version: str | None) -> str | None:
        """See ``Engine.flag_for``."""
        names = _table(version).names
        spread = _SPREAD.get(fact)
        for flag in flags()[0]:
            if flag.fact == fact if spread is None else flag.names[0] == spread:
                entry = names.get(flag.names[0])
                if entry is not None and entry.flag is flag and entry.alive and entry.current:
                    return flag.names[0]
        return None


ENGINE = SGLang("sglang", _UNSUPPORTED)

# Given, these change how a default is computed.
_SWITCHED = frozenset(("--enable-dp-attention", "--attn-dp-size", "--is-embedding", "--dllm-algorithm", "--device"))


def arguments(launch: Launch) -> tuple[Token, ...] | None:
    """The words after the program; the plain first word of ``sglang serve MODEL`` becomes ``--model-path``.

    None where the words start something else: SGLang's images hold its router and its benchmarks too.
    """
    argv = launch.argv
    for index, token in enumerate(argv):
        text = token.text
        after = argv[index + 1].text if index + 1 < len(argv) else ""
        if text == "-m" and (after in _MODULES or after.startswith(_ENTRYPOINTS[0])):
            return argv[index + 2 :]
        if text.endswith(_SCRIPTS) or (_ENTRYPOINTS[1] in text and text.endswith(".py")):
            return argv[index + 1 :]
        if text.rpartition("/")[2] == "sglang" and after == "serve":
            words = argv[index + 2 :]
            if words and not words[0].text.startswith("-") and words[0].unknown is None:
                return (msgspec.structs.replace(words[0], text="--model-path=" + words[0].text), *words[1:])
            return words
    if not argv or argv[0].text.startswith("-"):
        return argv
    return None


def _is_diffusion(launch: Launch, unmapped: tuple[str, ...], observations: tuple[Observation, ...]) -> bool:
    """Whether ``sglang serve`` starts SGLang's server for image and video models, which has arguments of its own."""
    if not any(token.text == "serve" for token in launch.argv):
        return False
    chosen = any(one.key == "--model-type" and one.value == "diffusion" for one in observations)
    return chosen or not _DIFFUSION.isdisjoint(unmapped)


def _release(reference: ImageReference) -> str | None:
    """Tags of SGLang's own images are its releases; so are those of builds that keep the name."""
    from askew.facts.values.version import image_tag_version

    if "sgl" not in reference.repository.rpartition("/")[2] or "ai-dynamo" in reference.repository:
        return None
    return image_tag_version(reference.tag) if reference.tag else None


@functools.lru_cache(maxsize=8)
def _table(version: str | None) -> Table:
    looked_at = versions.stable("sglang")
    return table(
        flags()[0], ARGPARSE, title="SGLang", version=version, releases=looked_at.releases if looked_at else ()
    )


@functools.cache
def _deferred() -> dict[str, tuple[str, ...]]:
    return {**{name: (value.lower(),) for name, value in flags()[1].items()}, **_AUTOMATIC}


def _with_config(
    launch: Launch, words: tuple[Token, ...]
) -> tuple[tuple[Token, ...], tuple[Problem, ...], Observation | None]:
    """Put the entries of the ``--config`` file before the arguments, as SGLang does: what is written later wins.

    The observation says that the file is not shown: then nothing is known of what was not written.
    """
    for index, word in enumerate(words):
        if word.text.startswith("--config="):
            problem = Problem(  # prepare_server_args looks for the word "--config"
                kind="ignored-argument",
                message="SGLang ignores --config=: the path must be the word after --config",
                locations=places(word),
                argument="--config",
                value=word.text[9:],
                suggestion=f"--config {word.text[9:]}",
            )
            return words, (problem,), None
        if word.text == "--config" and index + 1 < len(words):
            path = words[index + 1]
            content = launch.files.get(_absolute(path.text, launch.working_dir)) if path.unknown is None else None
            if content is None:
                reason = path.unknown or f"the configuration file {path.text} is not in any source that was given"
                hidden = Observation(
                    fact=OTHER,
                    key="--config",
                    value=Unknown(reason, "add the file to what is compared", path.text),
                    origin="explicit",
                    locations=places(path),
                    order=index,
                )
                return words, (), hidden
            entries, problems = _entries(content, path)
            return (*entries, *words), problems, None
    return words, (), None


def _absolute(path: str, folder: str) -> str:
    import posixpath

    return posixpath.normpath(posixpath.join(folder or "/", path))


def _entries(content: Content, path: Token) -> tuple[tuple[Token, ...], tuple[Problem, ...]]:
    """The words that SGLang makes of a configuration file (``ConfigArgumentMerger``)."""
    from askew.evidence.yaml import read

    base = content.location
    if base.line and (base.path or base.object):  # an entry of an object begins below its key
        base = msgspec.structs.replace(base, line=base.line + 1)
    stream = read(content.text, base.source, base=base)
    documents = stream.documents
    root = documents[0].root if documents else None
    if stream.errors or (root is not None and root.value is not None and not root.is_mapping):
        why = str(stream.errors[0]) if stream.errors else "expected a mapping of argument names to values"
        return (), (
            Problem(
                kind="malformed",
                message=f"SGLang cannot read its configuration file {path.text}: {why}",
                locations=(*places(path), content.location),
                argument="--config",
                value=path.text,
            ),
        )
    words: list[Token] = []
    for key, node in root.items() if root is not None else ():
        here = node.location
        name = "--" + key.replace("_", "-")
        if node.value is True:
            words.append(Token(name, here))
        elif node.value is False:
            continue
        elif node.is_sequence:
            items = [Token(_text(item.value, item.text()), item.location) for item in node.each()]
            words.extend((Token(name, here), *items) if items else ())
        else:
            words.append(Token(f"{name}={_text(node.value, node.text())}", here))
    return tuple(words), ()


def _text(value: object, text: str | None) -> str:
    return text if text is not None else msgspec.json.encode(value).decode()


def _settled(found: Observation) -> Observation:
    """What a value leaves open: a parser to be found in the chat template, a name of a revision that moves."""
    if found.fact in _FROM_TEMPLATE and found.value == "auto":
        reason = "detected from the chat template when the server starts"
        return msgspec.structs.replace(found, value=Unknown(reason, "GET /get_server_info", "auto"))
    if found.fact == "model.revision" and isinstance(found.value, str) and found.value.lower() in _MOVING:
        return msgspec.structs.replace(
            found, value=Unknown(f"{found.value!r} is a name that moves: it pins no revision", text=found.value)
        )
    return found


def _sources(observations: list[Observation], launch: Launch) -> list[Observation]:
    """Where the weights come from, for every statement of which model it is: a path, the Hub, or ModelScope instead."""
    found = []
    chosen = launch.env.get("SGLANG_USE_MODELSCOPE")
    modelscope = chosen is not None and (chosen.value or "").strip().lower() in ("1", "true", "yes", "y")
    for one in observations:
        if one.fact == "model.id":
            uri = source(one.value) if isinstance(one.value, str) else one.value
            if modelscope and isinstance(uri, str) and uri.startswith("hf://"):
                uri = "modelscope://" + uri[5:]
            found.append(msgspec.structs.replace(one, fact="model.source", value=uri))
    return found


def _unpinned(observations: list[Observation]) -> tuple[Observation, ...]:
    """A model from the Hub without ``--revision`` is whatever its default branch holds at download time."""
    by_fact = {one.fact: one for one in observations}
    if "model.revision" in by_fact or "model.source" not in by_fact:
        return ()
    origin = by_fact["model.source"]
    value: Value | Unknown = None
    if isinstance(origin.value, Unknown) or str(origin.value).startswith(("hf://", "modelscope://")):
        value = Unknown("no revision pinned: the default branch at download time", "add --revision COMMIT")
    return (Observation(fact="model.revision", value=value, origin="engine-default", locations=origin.locations),)


def _strays(parsed: Parsed, title: str) -> tuple[Problem, ...]:
    """Plain words that no argument takes: argparse ends with "unrecognized arguments"."""
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
