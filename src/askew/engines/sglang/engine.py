"""Reads launches of SGLang."""

from __future__ import annotations

import functools
import re

import msgspec

from askew.engines import hub, versions
from askew.engines.arguments import ARGPARSE, Parsed, Table, parse, places, table
from askew.engines.composed import own_variables, stray_words
from askew.engines.interface import Reading
from askew.engines.observe import environment, identity, read_arguments
from askew.engines.sglang.defaults import defaults, setting_of
from askew.engines.sglang.flags import OTHER, flags
from askew.engines.sglang.rules import rules
from askew.engines.sglang.sizes import Setting, divided
from askew.evidence.launch import Content, Launch, Token
from askew.facts.types import Value
from askew.facts.values.image import ImageReference
from askew.resolve.images import read_image
from askew.resolve.observation import Observation, Unknown
from askew.resolve.rule import Rule
from askew.resolve.workload import Problem

_MODULES = ("sglang.launch_server", "sglang.srt.server")
_SCRIPTS = ("sglang/launch_server.py", "sglang/srt/server.py")
_ENTRYPOINTS = ("sglang.srt.entrypoints.", "sglang/srt/entrypoints/")

# Arguments whose value "auto" (or the default that never changed) says no more than their absence.
_AUTOMATIC = {"--dtype": ("auto",), "--kv-cache-dtype": ("auto",), "--grammar-backend": ("none",)}
_FROM_TEMPLATE = ("runtime.reasoning_parser", "runtime.tool_call_parser")

# Logs, traces, profiles, dumps and caches on disk; names from `sglang/srt/environ.py`.
_INERT_NAME = re.compile(
    r"SGLANG_(?:LOG_\w+|\w*_LOG_\w+|TRACE_\w+|PROFILE_\w+|TORCH_PROFILER_DIR|CUDA_COREDUMP\w*|OTLP_\w+|RECORD_STEP_TIME|"
    r"PYSPY_DUMP_BEFORE_CRASH|\w*CACHE_DIR|IS_IN_CI\w*|EXPERT_DISTRIBUTION_RECORDER_DIR|ENABLE_METRICS_\w+|"
    r"JIT_CACHE_DEBUG|DISABLE_REQUEST_LOGGING|\w*_CI|\w*_CI_\w+|\w*TEST\w*)"
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
        identified, version = identity("sglang", launch, title="SGLang", states=_release)
        given_words = arguments(launch)
        if given_words is None:
            from askew.engines.unrecognised import read

            return read(launch)
        words, configured, hidden = _with_config(launch, given_words)
        parsed = parse(words, table_of(version))
        title = f"SGLang {version}" if version else "SGLang"
        noted = read_arguments(parsed, engine=title, deferred=deferred())
        last = _last(parsed)
        setting = setting_of(version, last)
        observations = [*identified, *(_settled(one) for one in noted.observations)]
        if setting is not None:
            observations = [_of_one_rank(one, setting) for one in observations]
        known = versions.stable("sglang")
        ever = known.variables if known is not None else ()
        inert = [name for name in launch.env if _INERT_NAME.fullmatch(name)]
        observations.extend(environment(launch, inert=inert, reads=ever))
        observations.extend(vendor(launch))
        problems = [*configured, *noted.problems, *stray_words(parsed, title), *_dropped(launch, version)]
        diffusion = _is_diffusion(launch, noted.unmapped, noted.observations)
        if diffusion:
            problems = [one for one in problems if one.kind not in ("unknown-argument", "malformed")]
        observations.extend(_sources(observations, launch))
        computed: tuple[Rule, ...] = ()
        if hidden is None and not diffusion:
            observations.extend(defaults(version, frozenset(last)))
            computed = rules(version, setting)
            observations.extend(_unpinned(observations))
        elif hidden is not None:
            observations.append(hidden)
        variables, strange = own_variables(launch, _OWN, (*ever, *inert, *_ELSEWHERE))
        return Reading(
            observations=tuple(observations),
            rules=_doubted(computed, version),
            problems=tuple(problems),
            version=version,
            mapped=noted.mapped,
            unmapped=noted.unmapped,
            variables=variables,
            strange=strange,
        )

    def flag_for(self, fact: str, version: str | None) -> str | None:
        """See ``Engine.flag_for``."""
        names = table_of(version).names
        spread = _SPREAD.get(fact)
        for flag in flags():
            if flag.fact == fact if spread is None else flag.names[0] == spread:
                entry = names.get(flag.names[0])
                if entry is not None and entry.flag is flag and entry.alive and entry.current:
                    return flag.names[0]
        return None


ENGINE = SGLang("sglang", _UNSUPPORTED)

_OWN = ("SGLANG_", "SGL_")
# Read by no published release: builds of a branch for large DeepSeek clusters read the first three, the router and the
# server for images the others. They are compared as text.
_ELSEWHERE = (
    *("SGLANG_HACK_*", "SGLANG_DECODE_BOOTSTRAP_TIMEOUT", "SGLANG_MOONCAKE_TRANS_THREAD"),
    *("SGL_ROUTER_*", "SGLANG_DIFFUSION_*"),
)


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
def table_of(version: str | None) -> Table:
    """The arguments of a release, or of all where it is not known."""
    looked_at = versions.stable("sglang")
    return table(flags(), ARGPARSE, title="SGLang", version=version, releases=looked_at.releases if looked_at else ())


@functools.cache
def deferred() -> dict[str, tuple[str, ...]]:
    """The values of options without a fact that say no more than their absence does, in whatever release."""
    known = versions.stable("sglang")
    found: dict[str, tuple[str, ...]] = {}
    for flag in flags():
        if flag.fact == OTHER and known is not None:
            value = next((known.defaults[name] for name in flag.names if known.defaults.get(name) is not None), None)
            if value is not None and not isinstance(value, (bool, list, dict)):
                found[flag.names[0]] = (str(value).lower(),)
    return {**found, **_AUTOMATIC}


def _last(parsed: Parsed) -> dict[str, str]:
    """The arguments that are given, each with its last word; empty where it has none or it is not known."""
    found: dict[str, str] = {}
    for one in parsed.given:
        values = one.values
        found[one.flag.names[0]] = values[0].text.strip() if values and values[0].unknown is None else ""
    return found


def _of_one_rank(one: Observation, setting: Setting) -> Observation:
    """Data parallel attention divides a chunk that is written, too."""
    if one.fact != "runtime.max_num_batched_tokens" or not isinstance(one.value, int) or setting.attention_ranks == 1:
        return one
    size = divided(setting, one.value)
    because = "data parallel attention divides the chunk among its ranks"
    return msgspec.structs.replace(one, value=size, because=(*one.because, because))


def _doubted(computed: tuple[Rule, ...], version: str | None) -> tuple[Rule, ...]:
    """The rules of a neighbour of a release that this build does not have: less sure, and said so."""
    near = versions.nearest("sglang", version)
    if near is None or near[1]:
        return computed
    doubt = f"SGLang {version} is not in this build; {near[0].version}, the nearest release that is, does so"
    return tuple(
        msgspec.structs.replace(
            one, confidence="possible" if one.confidence == "possible" else "likely", because=f"{one.because}; {doubt}"
        )
        for one in computed
    )


def _dropped(launch: Launch, version: str | None) -> list[Problem]:
    """Variables that an earlier release read and this one does not."""
    past, release = versions.history("sglang"), versions.load("sglang", version)
    if past is None or release is None:
        return []
    index, found = past.releases.index(release.version), []
    for name, variable in launch.env.items():
        steps = past.variables.get(name, ()) if name.startswith(_OWN) and name not in release.variables else ()
        if steps and steps[0][0] < index and not _INERT_NAME.fullmatch(name):
            found.append(
                Problem(
                    kind="removed-argument",
                    message=f"SGLang {release.version} no longer reads {name}",
                    locations=(variable.location, *variable.via),
                    argument=name,
                    fact="runtime.env",
                )
            )
    return found


# Builds for one maker's accelerators: words of a tag or name of the project's images and of those that keep the name.
# Without such a word an image is the build for CUDA, which says nothing: forks leave the word out as well.
# https://hub.docker.com/r/lmsysorg/sglang/tags, https://docs.sglang.ai/platforms/
_VENDORS = (
    (re.compile(r"(?:^|[-_/.])(?:rocm\d*|mi3\d\dx?|amd)(?=$|[-_/.])"), "amd"),
    (re.compile(r"(?:^|[-_/.])(?:npu|cann[\d.]*|ascend|910b?|a[23])(?=$|[-_/.])"), "huawei"),
    (re.compile(r"(?:^|[-_/.])(?:hpu|gaudi\d*)(?=$|[-_/.])"), "habana"),
    (re.compile(r"(?:^|[-_/.])xpu(?=$|[-_/.])"), "intel"),
    (re.compile(r"(?:^|[-_/.])musa(?=$|[-_/.])"), "moorethreads"),
)


def vendor(launch: Launch) -> tuple[Observation, ...]:
    """The maker of the accelerators that the image is built for, where its name or tag says so."""
    reference = read_image(launch.image)
    if reference is None or launch.image is None:
        return ()
    *publisher, name = reference.name.split("/")
    text = f"{'rocm-' if 'rocm' in publisher else ''}{name}-{reference.tag or ''}".lower()
    for pattern, maker in _VENDORS:
        if pattern.search(text):
            return (
                Observation(
                    fact="hardware.gpu.vendor",
                    value=maker,
                    origin="derived",
                    confidence="likely",
                    locations=(launch.image.location, *launch.image.via),
                    because=(f"the image {launch.image.text} is a build for this maker's accelerators",),
                ),
            )
    return ()


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
    return hub.pinned(found)


def _sources(observations: list[Observation], launch: Launch) -> list[Observation]:
    """Where the weights come from, for every statement of which model it is: a path, the Hub, or ModelScope instead."""
    found = []
    chosen = launch.env.get("SGLANG_USE_MODELSCOPE")
    modelscope = chosen is not None and (chosen.value or "").strip().lower() in ("1", "true", "yes", "y")
    for one in observations:
        if one.fact == "model.id":
            uri = hub.hub_source(one.value) if isinstance(one.value, str) else one.value
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
