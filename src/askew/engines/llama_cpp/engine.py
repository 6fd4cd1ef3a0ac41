"""Reads launches of llama.cpp's server, and of llama-cpp-python's: arguments, variables, a settings file."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import msgspec

from askew.engines import versions
from askew.engines.arguments import ARGPARSE, Dialect, Given, Parsed, Table, parse, places, table
from askew.engines.builds import vendor_rules
from askew.engines.composed import own_variables
from askew.engines.flags import Flag
from askew.engines.interface import Reading
from askew.engines.llama_cpp import python_flags, system_config
from askew.engines.llama_cpp.config_file import EXPECTED, Setting
from askew.engines.llama_cpp.config_file import read as read_config
from askew.engines.llama_cpp.defaults import builds, default_rules, defaults
from askew.engines.llama_cpp.flags import flags, variables
from askew.engines.observe import RELEVANT_PREFIXES, Noted, environment, identity, read_arguments, read_given, strays
from askew.evidence.launch import Launch, Token, Variable
from askew.facts.values.image import ImageReference
from askew.resolve.images import read_image
from askew.resolve.observation import PRECEDENCE, Observation, Unknown
from askew.resolve.workload import Problem

_UNSUPPORTED = {
    "model.revision": "llama.cpp downloads the Hub's default branch; it has no argument for a revision",
    "model.code_revision": "a GGUF file holds no code",
    "model.trust_remote_code": "a GGUF file holds no code",
    "model.tokenizer.source": "the tokenizer is part of the GGUF file",
    "model.tokenizer.revision": "the tokenizer is part of the GGUF file",
    "model.tokenizer.mode": "the tokenizer is part of the GGUF file",
    "runtime.gpu_memory_utilization": "llama.cpp offloads a number of layers, not a share of memory",
    "runtime.tensor_parallel_size": "llama.cpp splits layers or rows over all devices it sees; there is no size to set",
    "runtime.pipeline_parallel_size": "llama.cpp splits layers over all devices it sees; there is no size to set",
    "runtime.data_parallel_size": "llama.cpp runs one copy of the model; more copies are more processes",
    "runtime.expert_parallel": "llama.cpp has no expert parallelism",
    "runtime.chunked_prefill": "llama.cpp always processes prompts in batches of --batch-size",
    "runtime.enforce_eager": "llama.cpp has no such setting",
    "runtime.cuda_graph.sizes": "llama.cpp has no such setting",
    "runtime.cpu_offload.bytes": "llama.cpp counts layers, not bytes: --n-gpu-layers",
    "runtime.swap.bytes": "llama.cpp has no swap space for requests",
    "runtime.generation_config": "a GGUF file holds no generation_config.json",
    "runtime.tool_call_parser": "llama.cpp finds the format of tool calls in the chat template",
    "runtime.lora.max_rank": "llama.cpp has no limit on the rank of adapters",
    "runtime.hf_overrides": "llama.cpp reads GGUF metadata; --override-kv changes it",
    "runtime.load_format": "llama.cpp loads GGUF files only",
    "runtime.max_concurrent_requests": "llama.cpp queues without a limit what finds no slot",
    "runtime.async_scheduling": "llama.cpp has no such setting",
    "runtime.kv_cache.block_size": "llama.cpp keeps one cell per token",
}

# `arg.cpp`: names must match exactly, underscores of long names are hyphens, `--x=v` is refused, the last one wins.
_NATIVE = Dialect(name="llama.cpp", abbreviations=False, underscores=True, negations=("no-",), spaced_is_word=False)
_PYTHON = msgspec.structs.replace(ARGPARSE, negations=())
_DEFERRED = {
    "--flash-attn": ("auto", "-1"), "--parallel": ("-1",), "--seed": ("-1", "4294967295"), "--threads": ("-1", "0"),
    "--reasoning-format": ("auto",),
}  # fmt: skip
_PROGRAMS = ("llama-server", "llama-server.exe", "server", "tools.sh")
_PREFIXES = (*RELEVANT_PREFIXES, "LLAMA_", "GGML_")
_INERT = frozenset(("LLAMA_CACHE", "LLAMA_ARG_HF_CACHE", "NVIDIA_DRIVER_CAPABILITIES", "HF_TOKEN"))
_TRUTHY = frozenset(("on", "enabled", "true", "1"))
_FALSY = frozenset(("off", "disabled", "false", "0"))
_FIRST_WITH_FILE = 10566  # the oldest build read that has /etc/llama.cpp/config.ini
_OWN = PRECEDENCE.index("explicit")


class LlamaCpp(msgspec.Struct, frozen=True):
    """The engine. Pure: a launch in, observations out."""

    name: str
    unsupported: dict[str, str]

    def read(self, launch: Launch) -> Reading:
        """See ``Engine.read``."""
        python = _is_python(launch)
        states = _python_release if python else _build
        product = "llama-cpp-python" if python else "llama.cpp"
        identified, version = identity("llama.cpp", launch, title=product, states=states)
        words = arguments(launch)
        if words is None:
            from askew.engines.unrecognised import read

            return read(launch)
        title = f"{product} {version}" if version else product
        parsed = parse(words, _table(version, python))
        noted = _read_python(parsed, launch, title) if python else _read_native(parsed, launch, title)
        below = Noted() if python else _read_system(launch, version, title)
        observations = [*identified, *noted.observations, *below.observations]
        expressed = _python_variables() if python else frozenset(variables())
        observations.extend(environment(launch, expressed=expressed, inert=_INERT, prefixes=_PREFIXES))
        slots = any(one.fact == "runtime.max_num_seqs" for one in observations)
        sized, deferred = _context(observations)
        stated = defaults(version, python, _is_official(launch))
        if deferred:  # `-c 0` asks for the model's own length: the literal default of older builds does not hold
            stated = tuple(one for one in stated if one.fact != "runtime.kv_cache.tokens")
        observations = [*sized, *_sources(sized), *stated]
        known, strange = own_variables(launch, ("LLAMA_",), (*variables(), *_INERT))
        problems = (*(_dated(one) for one in (*noted.problems, *below.problems)), *strays(parsed, title))
        return Reading(
            observations=tuple(observations),
            rules=(*default_rules(version, python, slots), *vendor_rules(launch.image)),
            problems=problems,
            version=version,
            mapped=noted.mapped + below.mapped,
            unmapped=noted.unmapped,
            variables=known,
            strange=strange,
        )

    def flag_for(self, fact: str, version: str | None) -> str | None:
        """See ``Engine.flag_for``. Names those of llama-server, or of llama-cpp-python where the release is one."""
        python = bool(version) and not str(version).startswith("b")
        names = _table(version, python).names
        spread = {**_SPREAD, **(_PYTHON_SPREAD if python else {})}.get(fact)
        from askew.facts.catalogue import FACTS

        if fact in FACTS and FACTS[fact].type.keyed:
            return None  # each entry has an argument of its own
        for flag in python_flags.FLAGS if python else flags():
            if flag.fact == fact if spread is None else flag.names[0] == spread:
                entry = names.get(flag.names[0])
                if entry is not None and entry.alive and entry.current and flag.names[0].startswith("--"):
                    return flag.names[0]
        return None


_SPREAD = {
    "model.source": "--model",
    "model.lora_adapters": "--lora",
    "runtime.lora.enabled": "--lora",
    "runtime.max_model_len": "--ctx-size",
    "runtime.kv_cache.dtype": "--cache-type-k",
}
_PYTHON_SPREAD = {
    "model.source": "--hf_model_repo_id",
    "model.lora_adapters": "--lora_path",
    "runtime.lora.enabled": "--lora_path",
    "runtime.max_model_len": "--n_ctx",
    "runtime.kv_cache.tokens": "--n_ctx",
    "runtime.kv_cache.dtype": "--type_k",
}

ENGINE = LlamaCpp("llama.cpp", _UNSUPPORTED)


def arguments(launch: Launch) -> tuple[Token, ...] | None:
    """The words after the program; None where the words start something else."""
    argv = launch.argv
    for index, token in enumerate(argv[:8]):
        word = token.text.rpartition("/")[2]
        if word in ("llama_cpp.server", "llama-server") or (word in _PROGRAMS and index < 3):
            rest = argv[index + 1 :]
            return rest[1:] if word == "tools.sh" and rest and rest[0].text in ("--server", "-s") else rest
        if word.startswith("llama-server-"):
            return argv[index + 1 :]
        if word in ("serve", "server") and index and argv[index - 1].text.rpartition("/")[2] == "llama":
            return argv[index + 1 :]
        if word == "uvicorn":  # its own arguments are uvicorn's; the settings are variables
            return _of_uvicorn(argv[index + 1 :])
    if not argv:
        return argv
    if launch.implicit_entrypoint and (argv[0].text.startswith("-") or argv[0].unknown is not None):
        full = argv[0].text in ("--server", "-s") and _is_full(launch)
        return argv[1:] if full else argv
    return None


def _of_uvicorn(words: tuple[Token, ...]) -> tuple[Token, ...]:
    """Uvicorn's address, which is the server's."""
    kept: list[Token] = []
    for index, word in enumerate(words):
        name = word.text.partition("=")[0]
        if name in ("--host", "--port"):
            kept.extend(words[index : index + (1 if "=" in word.text else 2)])
    return tuple(kept)


def _is_python(launch: Launch) -> bool:
    if any("llama_cpp.server" in token.text for token in launch.argv[:12]):
        return True
    reference = read_image(launch.image)
    named = reference is not None and reference.repository.rpartition("/")[2] == "llama-cpp-python"
    program = launch.argv[0].text.rpartition("/")[2] if launch.argv else ""
    return named and program not in _PROGRAMS


def _is_official(launch: Launch) -> bool:
    """Whether the image is the llama.cpp project's, for the server."""
    reference = read_image(launch.image)
    if reference is None or not reference.repository.endswith(("ggml-org/llama.cpp", "ggerganov/llama.cpp")):
        return False
    return "server" in (reference.tag or "").split("-")


def _is_full(launch: Launch) -> bool:
    reference = read_image(launch.image)
    return reference is not None and (reference.tag or "").startswith("full")


def _build(reference: ImageReference) -> str | None:
    """Tags state the build: ``server-cuda-b4567``. Other numbers in tags count the vendor's own releases."""
    from askew.facts.values.version import image_tag_version

    found = image_tag_version(reference.tag) if reference.tag else None
    return found if found is not None and found.startswith("b") else None


def _python_release(reference: ImageReference) -> str | None:
    """The project's own images are tagged with its releases: ``v0.3.16``."""
    from askew.facts.values.version import image_tag_version

    if reference.repository.rpartition("/")[2] != "llama-cpp-python" or not reference.tag:
        return None
    found = image_tag_version(reference.tag)
    return None if found is None or found.startswith("b") else found


@functools.lru_cache(maxsize=8)
def _table(version: str | None, python: bool) -> Table:
    if python:
        known = tuple(one for one in versions.releases("llama.cpp") if "." in one)
        return table(python_flags.FLAGS, _PYTHON, title="llama-cpp-python", version=version, releases=known)
    known = builds()
    number = version.removeprefix("b") if version else None
    if number is None or not number.isdecimal() or not known or int(number) < int(known[0]):
        return table(flags(), _NATIVE, title="llama.cpp")  # older than what was read: nothing is said to be missing
    # A switch until October 2025: where the build is not known, a word after it may be missing.
    strict = [
        msgspec.structs.replace(flag, takes="value") if flag.names[0] == "--flash-attn" else flag for flag in flags()
    ]
    return table(strict, _NATIVE, title="llama.cpp", version=number, releases=known)


def native_table() -> Table:
    """The arguments of llama-server in all its builds."""
    return _table(None, False)


@functools.cache
def _python_variables() -> frozenset[str]:
    return frozenset(flag.env for flag in python_flags.FLAGS if flag.env)


def _read_native(parsed: Parsed, launch: Launch, title: str) -> Noted:
    noted = read_arguments(_refuse_joined(parsed, title), engine=title, deferred=_DEFERRED)
    observations, problems, mapped = list(noted.observations), list(noted.problems), noted.mapped
    for name, (flag, off) in variables().items():
        variable = launch.env.get(name)
        if variable is None:
            continue
        mapped += 1
        if flag.irrelevant or _defers(flag, variable):
            continue
        given = _given(flag, variable, off)
        if given is None:
            continue
        said = read_given(given, engine=title, origin="env")
        observations.extend(said.observations)
        problems.extend(said.problems)
    return Noted(tuple(observations), tuple(problems), mapped, noted.unmapped)


def _read_system(launch: Launch, version: str | None, title: str) -> Noted:
    """The system-wide file of arguments, which builds since 10566 read."""
    build = int(version[1:]) if version and version[1:].isdecimal() else None
    if build is not None and build < _FIRST_WITH_FILE:
        return Noted()
    entries, refused = system_config.read(launch)
    observations: list[Observation] = []
    problems = [
        Problem(
            kind="unreadable",
            message=f"{title} refuses its file: {one.message}",
            locations=(one.location,),
            suggestion=system_config.EXPECTED,
        )
        for one in refused
    ]
    for order, entry in enumerate(entries):
        flag, off = _by_key().get(entry.key, (None, False))
        if flag is None or flag.irrelevant:
            continue  # the file is for every program of llama.cpp: what one does not know, it skips
        word = entry.value
        if flag.takes in ("switch", "toggle"):
            # Whatever stands after a switch, it is on: only arguments that have a negation look at the word.
            negated = flag.takes == "toggle" and off is (word.text.lower() in _TRUTHY)
            given = Given(flag=flag, name=word, spelled=entry.key, negated=negated, order=order)
        else:
            given = Given(flag=flag, name=word, spelled=entry.key, values=(word,), order=order)
        if word.unknown is None and word.text.strip().lower() in _DEFERRED.get(flag.names[0], ()):
            continue
        said = read_given(given, engine=title, origin="config-file")
        observations.extend(said.observations)
        problems.extend(said.problems)
    if build is None:
        because = (f"builds since b{_FIRST_WITH_FILE} read this file; no source shows which runs",)
        observations = [msgspec.structs.replace(one, confidence="likely", because=because) for one in observations]
    return Noted(tuple(observations), tuple(problems), len(entries))


@functools.cache
def _by_key() -> dict[str, tuple[Flag, bool]]:
    """Arguments by the keys of the file: a name without its dashes, or a variable; and whether it turns it off."""
    found = {name: (flag, False) for name, (flag, off) in variables().items() if not off}
    for flag in flags():
        for name in flag.names:
            found.setdefault(name.lstrip("-"), (flag, False))
            if flag.takes == "toggle" and name.startswith("--"):
                found.setdefault(f"no-{name[2:]}", (flag, True))
    return found


def _refuse_joined(parsed: Parsed, title: str) -> Parsed:
    """``--x=v``: llama.cpp looks for an argument of that very name and refuses it."""
    given, problems = [], list(parsed.problems)
    for one in parsed.given:
        joined = one.values and one.values[0].location == one.name.location and one.name.text.startswith("--")
        if joined and "=" in one.name.text and one.name.unknown is None:
            value = one.name.text.partition("=")[2]
            one = msgspec.structs.replace(one, fault=f"{title} refuses {one.name.text}: the value must be its own word")
            problems.append(
                Problem(
                    kind="malformed",
                    message=f"{title} refuses {one.name.text}: the value must be the next word",
                    locations=places(one.name),
                    argument=one.spelled,
                    value=value,
                    suggestion=f"{one.spelled} {value}",
                    fact=one.flag.fact,
                )
            )
        given.append(one)
    return msgspec.structs.replace(parsed, given=tuple(given), problems=tuple(problems))


def _defers(flag: Flag, variable: Variable) -> bool:
    value = (variable.value or "").strip().lower()
    return variable.unknown is None and value in _DEFERRED.get(flag.names[0], ())


def _given(flag: Flag, variable: Variable, off: bool) -> Given | None:
    """A variable as the argument it stands for; None where it says nothing."""
    unknown = variable.unknown or (None if variable.value is not None else f"{variable.name} could not be seen")
    word = Token(variable.value or "", variable.location, unknown, variable.via)
    name = Token(variable.name, variable.location)
    if flag.takes not in ("switch", "toggle"):
        return Given(flag=flag, name=name, spelled=variable.name, values=(word,))
    if unknown is not None:
        return Given(flag=flag, name=msgspec.structs.replace(name, unknown=unknown), spelled=variable.name)
    text = (variable.value or "").lower()
    if off or (flag.takes == "toggle" and text in _FALSY):
        return Given(flag=flag, name=name, spelled=variable.name, negated=True)
    if text in _TRUTHY:
        return Given(flag=flag, name=name, spelled=variable.name)
    if flag.takes == "switch":
        return None  # a switch is given by a true word only; every other word leaves it off
    fault = f"llama.cpp refuses {variable.value!r} for {variable.name}: expected true or false"
    return Given(flag=flag, name=name, spelled=variable.name, values=(word,), fault=fault)


def _read_python(parsed: Parsed, launch: Launch, title: str) -> Noted:
    path = _config_path(parsed, launch)
    observations: list[Observation] = []
    problems: list[Problem] = []
    mapped, unmapped = len(parsed.given), [one.name for one in parsed.unmapped if not one.reason]
    if path is None:
        noted = read_arguments(parsed, engine=title, deferred={"--seed": ("-1", "4294967295")})
        observations, problems = list(noted.observations), list(noted.problems)
    else:
        said = _read_file(path, launch, title)
        observations, problems = list(said.observations), [*parsed.problems, *said.problems]
        for given in parsed.given:
            if not given.flag.irrelevant:
                problems.append(
                    Problem(
                        kind="ignored-argument",
                        message=f"{title} ignores {given.spelled}: with a settings file it reads no other settings",
                        locations=places(given.name),
                        argument=given.spelled,
                        fact=given.flag.fact,
                    )
                )
    for flag in python_flags.FLAGS:
        variable = launch.env.get(flag.env) if flag.env else None
        if variable is None or flag.irrelevant:
            continue
        address = flag.names[0] in ("--host", "--port")
        if path is not None and not address and flag.names[0] not in _SERVER:
            continue
        mapped += 1
        stated = _given(flag, variable, False)
        if stated is None:
            continue
        said = read_given(stated, engine=title, origin="env")
        found = said.observations
        if address:  # HOST and PORT are read last, and win over everything
            found = tuple(msgspec.structs.replace(one, rank=_OWN, order=1 << 20) for one in found)
        observations.extend(found)
        problems.extend(said.problems)
    return Noted(tuple(observations), tuple(problems), mapped, tuple(unmapped))


_SERVER = frozenset(
    ("--ssl_keyfile", "--ssl_certfile", "--api_key", "--interrupt_requests", "--disable_ping_events", "--root_path")
)


def _config_path(parsed: Parsed, launch: Launch) -> Token | None:
    variable = launch.env.get("CONFIG_FILE")
    if variable is not None:
        unknown = variable.unknown or (None if variable.value is not None else "CONFIG_FILE could not be seen")
        return Token(variable.value or "", variable.location, unknown, variable.via)
    given = [one for one in parsed.given if one.flag.names[0] == "--config_file" and one.values]
    return given[-1].values[0] if given else None


def _read_file(path: Token, launch: Launch, title: str) -> Noted:
    file = read_config(path, launch)
    where = (*((file.at,) if file.at is not None else ()), *places(path))
    if file.malformed:
        problem = Problem(
            kind="unreadable", message=f"{title} refuses its settings file: {file.malformed}", locations=where,
            argument="--config_file", value=path.text, suggestion=EXPECTED,
        )  # fmt: skip
        return Noted((_unseen(file.malformed, where),), (problem,))
    if file.unknown:
        return Noted((_unseen(file.unknown, where),))
    model = file.models[0] if file.models else ()
    observations: list[Observation] = []
    problems: list[Problem] = []
    for order, setting in enumerate((*file.server, *model)):
        noted = _read_setting(setting, order, title)
        observations.extend(noted.observations)
        problems.extend(noted.problems)
    if len(file.models) > 1:
        names = [one for entry in file.models for one in _aliases(entry)]
        observations = [one for one in observations if one.fact != "model.served_names"]
        if names:
            observations.append(
                Observation(
                    fact="model.served_names", value=list(dict.fromkeys(names)), origin="config-file", locations=where
                )
            )
    return Noted(tuple(observations), tuple(problems), len(observations))


def _aliases(model: Iterable[Setting]) -> list[str]:
    return [one.values[0].text for one in model if one.name.text == "model_alias" and one.values]


def _read_setting(setting: Setting, order: int, title: str) -> Noted:
    flag = python_flags.by_setting().get(setting.name.text)
    if flag is None or not setting.values:
        if flag is not None:
            return Noted()
        text = " ".join(word.text for word in setting.values)
        return Noted(
            (
                Observation(
                    fact="runtime.arguments.unmapped", key=setting.name.text, value=text, origin="config-file",
                    locations=places(setting.name), order=order,
                ),
            )
        )  # fmt: skip
    if flag.irrelevant:
        return Noted()
    given = Given(flag=flag, name=setting.name, spelled=setting.name.text, values=setting.values, order=order)
    return read_given(given, engine=title, origin="config-file")


def _unseen(reason: str, where: tuple[object, ...]) -> Observation:
    return Observation(
        fact="runtime.arguments.unmapped", key="--config_file", value=Unknown(reason), origin="config-file",
        locations=tuple(where),  # type: ignore[arg-type]  # locations
    )  # fmt: skip


def _context(observations: list[Observation]) -> tuple[list[Observation], bool]:
    """Without a context size of zero, which asks for the model's own length, and whether that is what was asked for."""
    sizes = [one for one in observations if one.fact == "runtime.kv_cache.tokens"]
    if not sizes:
        return observations, False
    ranks = {origin: index for index, origin in enumerate(PRECEDENCE)}
    best = min(sizes, key=lambda one: (ranks[one.origin], -one.order))
    if best.value != 0:
        return [one for one in observations if one.fact != "runtime.kv_cache.tokens" or one.value != 0], False
    return [one for one in observations if one.fact != "runtime.kv_cache.tokens"], True


def _sources(observations: list[Observation]) -> list[Observation]:
    """Where the weights come from: a path given as the model is that path."""
    if any(one.fact == "model.source" for one in observations):
        return []
    return [msgspec.structs.replace(one, fact="model.source") for one in observations if one.fact == "model.id"]


def _dated(problem: Problem) -> Problem:
    """Builds come several a day and not all were read: what is gone was removed in or before the build named."""
    message = problem.message.replace(": it was removed in ", ": it is gone since b", 1)
    message = message.replace(": it came with ", ": it came with b", 1)
    return problem if message == problem.message else msgspec.structs.replace(problem, message=message + " or earlier")
