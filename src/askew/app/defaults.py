"""What changes if only the version of an engine changes.

Two things are compared. The lists of arguments, variables and metrics of both releases, which are data. And the
effective facts of a minimal launch, read at both releases on a few classes of GPU: that catches what an engine decides
at start. Where both tell of one thing, the effective fact is told and the argument's own default is not: a default that
reads differently and does the same is no change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import msgspec

from askew.app import registry
from askew.app.errors import UsageError
from askew.engines import versions
from askew.engines.versions import Default, History, JsonData, Metric, Release
from askew.evidence.document import Document
from askew.evidence.launch import Launch, Token
from askew.evidence.location import Location
from askew.facts.catalogue import FACTS
from askew.facts.types import SEVERITIES, Severity, Value
from askew.knowledge.rules import RULES
from askew.report.defaults import Change, Defaults, Effect, Kind, worst_first
from askew.report.present import clean
from askew.resolve.observation import Observation
from askew.resolve.resolve import GPU_MODEL, resolve
from askew.resolve.workload import Resolved, Snapshot

_OTHER, _ENV, _PACKAGES = "runtime.arguments.unmapped", "runtime.env", "runtime.packages"
# Of engines that do not say between which GPUs their defaults differ: large, very large, and older than compute
# capability 8.0.
_GPUS = ("a100-80gb-sxm", "b200", "h100-80gb-sxm", "t4")

# What may be known of a model, where a default depends on it.
_MODELS: Mapping[str, Mapping[str, Value]] = {
    "stored in float32": {"model.config.dtype": "float32"},
    "stored in bfloat16": {"model.config.dtype": "bfloat16"},
    "stored in float16": {"model.config.dtype": "float16"},
    "with a context of 8192": {"model.context_length": 8192},
    "with a context of 131072": {"model.context_length": 131072},
}

# These say which release runs, which is what was asked.
_IDENTITY = (
    "runtime.engine.",
    "runtime.image",
    "model.id",
    "model.source",
    "model.served_names",
    "model.tokenizer.source",
)

# What a fact acts on. Only what follows from its meaning is said; a fact that is not here has no effects listed.
_EFFECTS: Mapping[str, tuple[Effect, ...]] = {
    "model.": ("quality",),
    "runtime.sampling_defaults": ("quality",),
    "runtime.generation_config": ("quality",),
    "runtime.max_output_tokens": ("quality", "latency"),
    "runtime.seed": ("quality",),
    "runtime.dtype": ("quality", "memory"),
    "runtime.quantization": ("quality", "memory"),
    "runtime.kv_cache.dtype": ("quality", "memory"),
    "runtime.kv_cache.": ("memory",),
    "runtime.max_model_len": ("memory", "compatibility"),
    "runtime.max_num_seqs": ("throughput", "latency", "memory"),
    "runtime.max_num_batched_tokens": ("throughput", "latency", "memory"),
    "runtime.gpu_memory_utilization": ("memory",),
    "runtime.chunked_prefill": ("latency", "throughput"),
    "runtime.prefix_caching": ("latency", "throughput", "memory"),
    "runtime.cuda_graph.": ("latency", "memory"),
    "runtime.compilation": ("latency", "memory"),
    "runtime.enforce_eager": ("latency", "memory"),
    "runtime.attention_backend": ("latency", "quality"),
    "runtime.structured_output_backend": ("quality", "latency", "compatibility"),
    "runtime.packages": ("compatibility",),
    "serving.": ("compatibility",),
    "serving.max_concurrency": ("throughput", "latency"),
    "serving.queue": ("throughput", "latency"),
}


class _Exposed(msgspec.Struct, frozen=True, kw_only=True):
    """What a deployment writes, from which follows what may change beneath it."""

    snapshots: tuple[Snapshot, ...]
    documents: tuple[Document, ...]
    words: Mapping[str, str]  # argument → where it is written
    variables: Mapping[str, str]  # variable → where it is written
    stated: frozenset[str]  # facts, arguments and variables that every workload states itself
    gpus: tuple[str, ...]


def defaults(engine: str, old: str, new: str, flags: str | None = None) -> Defaults:
    """The changes of ``engine`` from release ``old`` to ``new``; with ``flags`` those that this source is exposed to.

    Raises UsageError for an engine or release that this build does not have, and for a source that cannot be read.
    """
    name = _engine(engine)
    python = engine.strip().lower().startswith("llama-cpp")
    past = versions.history(name)
    if past is None:
        known = ", ".join(versions.releases(name))
        raise UsageError(
            f"this build knows {name} {known or 'without its releases'} only, so there is nothing to compare with",
            f"engines with their history: {', '.join(_with_history())}",
        )
    (first, doubt), (last, doubts) = _release(past, old, python=python), _release(past, new, python=python)
    if _is_python(past, first) != _is_python(past, last):
        raise UsageError(
            f"{first} is a release of llama-cpp-python and {last} of llama.cpp, or the other way round",
            "compare two releases of one program",
        )
    exposed = _exposed(flags, name) if flags else None
    before, after = past.at(past.releases.index(first)), past.at(past.releases.index(last))
    changes = list(_effective(before, after, exposed)) if not _is_python(past, first) else []
    told = frozenset(name for one in changes for name in (one.name, *one.aliases))
    settled = _settled(before, after) if not _is_python(past, first) else frozenset()
    listed = (*_arguments(before, after, exposed, told | settled), *_variables(before, after, exposed, told | settled))
    cited = {source for one in changes for source in one.sources}
    # The fact of an argument with two names is told once.
    facts = {one.fact for one in changes if one.fact and not FACTS[one.fact].type.keyed}
    listed = tuple(one for one in listed if one.kind not in ("default", "rule") or one.fact not in facts)
    # A fact that cites the very place of a default tells of the same change, and of what it comes to.
    changes.extend(
        one
        for one in listed
        if (one.name not in told if one.kind == "added" else cited.isdisjoint(one.sources))
        or one.kind not in ("added", "default", "rule")
    )
    # An engine that is built in is told by its own name, which `askew defaults` takes; any other package, and a
    # request, is told by the effective fact where there is one.
    within = {f"{_PACKAGES}[{other}]" for other in _inner()}
    changes = [one for one in changes if one.name not in within]
    told -= within
    more = (*_requests(before, after, exposed), *_packages(before, after, exposed))
    changes.extend(one for one in more if told.isdisjoint((one.name, f"{_PACKAGES}[{one.name}]")))
    changes.extend(_metrics(before, after, exposed))
    changes.extend(_within(before, after, exposed, told | settled))
    changes = [_weighed(one, name) for one in changes]
    if _is_python(past, first):
        changes = [_bundled(one) for one in changes]
    return Defaults(
        engine=name,
        old=first,
        new=last,
        notes=tuple(filter(None, (doubt, doubts))),
        changes=tuple(sorted(changes, key=worst_first)),
    )


def _weighed(change: Change, engine: str) -> Change:
    """A change of a setting without a fact of its own, with what it acts on and how much that matters."""
    known = versions.effects(engine).get(change.name)
    if known is None or change.kind in ("added", "metric") or (change.fact and change.fact not in (_OTHER, _ENV)):
        return change
    severity = min(change.severity, known.severity, key=SEVERITIES.index)
    acts = cast("tuple[Effect, ...]", known.effects)
    return msgspec.structs.replace(change, severity=severity, effects=tuple(dict.fromkeys((*acts, *change.effects))))


def _bundled(change: Change) -> Change:
    """What llama-cpp-python bundles has its own arguments, which llama_cpp.server does not take."""
    if not any("vendor/" in source for source in change.sources):
        return change
    condition = ", ".join(["in the llama.cpp that llama-cpp-python bundles", *filter(None, [change.condition])])
    return msgspec.structs.replace(change, condition=condition)


def _engine(text: str) -> str:
    plain = text.strip().lower().replace("_", "-")
    if plain in ("llama-cpp-python", "llama-cpp", "llamacpp"):
        plain = "llama.cpp"
    if plain not in registry.engine_names():
        raise UsageError(f"there is no engine '{clean(text)}'", f"engines: {', '.join(registry.engine_names())}")
    return plain


def _with_history() -> list[str]:
    return [name for name in registry.engine_names() if versions.history(name) is not None]


def _is_python(past: History, release: str) -> bool:
    """llama.cpp counts builds; llama-cpp-python, which serves it, has releases with dots."""
    return past.engine == "llama.cpp" and "." in release


def _release(past: History, text: str, *, python: bool) -> tuple[str, str]:
    """The release of this build that is meant, and what to say where another stands for it.

    Candidates and other releases before a final one are not kept, nor is a release that was published again only as
    ``.postN``. Raises UsageError for what was never released.
    """
    plain = text.strip().removeprefix("llama-cpp-python").strip().removeprefix("v")
    if past.engine == "llama.cpp":
        plain = plain.removeprefix("b")
    # NVIDIA's containers are counted by year and month, and hold a release of the server each.
    containers = {str(one.value): past.releases[index] for index, one in past.packages.get("container", ()) if one}
    plain = containers.get(plain, plain)
    known = [
        one for one in past.releases if past.engine != "llama.cpp" or _is_python(past, one) == ("." in plain or python)
    ]
    if plain in known:
        return plain, ""
    final, before = re.fullmatch(r"(\d[\d.]*\d)[.-]?((?:a|b|rc|dev)\d*)?", plain), ""
    if final is not None:
        stands = next((one for one in known if one == final[1] or one.startswith(f"{final[1]}.post")), "")
        if final[2] and not stands:
            earlier = [one for one in known if versions.release_key(one) < versions.release_key(plain)]
            stands, before = max(earlier, key=versions.release_key, default=""), ", the release before it,"
        if stands:
            return stands, f"{past.engine} {plain} is not in this build: {stands}{before} stands for it"
    near = versions.neighbours(plain, sorted(known, key=versions.release_key))
    if not near:
        near = (known[0], known[-1])
    others = [name for name in _with_history() if name != past.engine and plain in versions.releases(name)]
    mixed = f"; {plain} is a release of {', '.join(others)}" if others else ""
    raise UsageError(f"{past.engine} '{clean(text)}' is not in this build", f"nearest: {', '.join(near)}{mixed}")


def _at(release: Release, state: Default | Metric) -> tuple[str, ...]:
    return (str(release.where(state)),) if state.at else ()


# Effective facts


def _read(release: Release, *assumed: Mapping[str, Value]) -> list[dict[tuple[str, str], Resolved]]:
    """What a minimal launch comes to, for each set of assumptions."""
    launch = _launch(release)
    reading = registry.engine(release.engine).read(launch)
    rules = (*RULES, *reading.rules)
    found = []
    for facts in assumed:
        more = [
            Observation(fact=fact, value=value, origin="assumed", locations=(launch.location,))
            for fact, value in facts.items()
        ]
        found.append(_flat(resolve([*reading.observations, *more], rules)))
    return found


def _launch(release: Release, more: Sequence[str] = ()) -> Launch:
    here = Location(f"{release.engine} {release.version}")
    known = registry.recognition(release.engine)
    return Launch(
        argv=tuple(Token(word, here) for word in (*known.words, *more)),
        location=here,
        image=Token(known.image.format(release.version), here),
        implicit_entrypoint=True,
    )


def _flat(facts: Mapping[str, Resolved]) -> dict[tuple[str, str], Resolved]:
    """Facts that the engine decides, with maps entry by entry."""
    out: dict[tuple[str, str], Resolved] = {}
    for fact, one in facts.items():
        if fact.startswith(_IDENTITY) or fact.startswith("hardware."):
            continue
        if one.entries:
            out.update({(fact, key): entry for key, entry in one.entries.items()})
        else:
            out[fact, ""] = one
    return out


def _effective(before: Release, after: Release, exposed: _Exposed | None) -> Iterator[Change]:
    gpus = (exposed.gpus if exposed is not None else ()) or registry.recognition(after.engine).gpus or _GPUS
    scenes: list[tuple[str, str, Mapping[str, Value]]] = [
        (gpu, model, {**({GPU_MODEL: [gpu]} if gpu else {}), **_MODELS.get(model, {})})
        for model in ("", *_MODELS)
        for gpu in ("", *gpus)
        if gpu or not model
    ]
    assumed = [facts for _, _, facts in scenes]
    pairs = list(zip(_read(before, *assumed), _read(after, *assumed), strict=True))
    sides = {(gpu, model): pair for (gpu, model, _), pair in zip(scenes, pairs, strict=True)}
    for fact, key in sorted({slot for old, _ in pairs for slot in old}):
        if exposed is not None and not exposed.stated.isdisjoint({fact, key}):
            continue
        held = {scene: (old[fact, key], new[fact, key]) for scene, (old, new) in sides.items() if (fact, key) in new}
        bare = held.get(("", ""))
        plain = {gpu: pair for (gpu, model), pair in held.items() if gpu and not model}
        shapes: dict[tuple[str, str], list[str]] = {}
        for gpu, pair in plain.items():
            if _differs(*pair):
                shapes.setdefault(_shape(*pair), []).append(gpu)
        for shape, where in shapes.items():
            was, now = plain[where[0]]
            everywhere = len(where) == len(gpus) and bare is not None and _differs(*bare) and shape == _shape(*bare)
            condition = "" if everywhere else f"on {', '.join(where)}, where it is not set"
            yield _effective_change(before, after, fact, key, was, now, condition)
        if not shapes:
            yield from _by_model(before, after, fact, key, held, gpus)


def _by_model(
    before: Release,
    after: Release,
    fact: str,
    key: str,
    held: Mapping[tuple[str, str], tuple[Resolved, Resolved]],
    gpus: Sequence[str],
) -> Iterator[Change]:
    """A change that shows where something is known of the model, and is the same on every GPU that shows it."""
    shapes: dict[tuple[str, str], dict[str, list[str]]] = {}
    for (gpu, model), pair in held.items():
        if model and {one.state for one in pair} == {"known"} and _differs(*pair):
            shapes.setdefault(_shape(*pair), {}).setdefault(model, []).append(gpu)
    for models in shapes.values():
        for where in dict.fromkeys(tuple(found) for found in models.values()):
            which = [model for model, found in models.items() if tuple(found) == where]
            was, now = held[where[0], which[0]]
            on = "" if len(where) == len(gpus) else f" on {', '.join(where)}"
            condition = f"for a model {' or '.join(which)}{on}, where it is not set"
            yield _effective_change(before, after, fact, key, was, now, condition)


def _shape(was: Resolved, now: Resolved) -> tuple[str, str]:
    return repr((was.state, was.value)), repr((now.state, now.value))


def _differs(was: Resolved, now: Resolved) -> bool:
    """Whether the two say that something changed: at least one must be known, and nothing merely unseen."""
    states = {was.state, now.state}
    if not states <= {"known", "absent", "unknown"} or states == {"unknown"} or was.missing or now.missing:
        return False
    if "absent" in states and "unknown" in states:
        return False
    return (was.state, was.value) != (now.state, now.value)


def _effective_change(
    before: Release, after: Release, fact: str, key: str, was: Resolved, now: Resolved, condition: str
) -> Change:
    engine = registry.engine(after.engine)
    plain = key and fact in (_OTHER, _ENV)
    # An engine without a value to give says in words where a default comes from: that is the argument's.
    name = (
        key.removeprefix("default of ")
        if plain
        else engine.flag_for(fact, after.version) or engine.flag_for(fact, before.version) or fact
    )
    flag = name
    if not key and isinstance(was.value if now.value is None else now.value, bool) and not _agrees(name, fact):
        name = fact
    if key and not plain:
        name = f"{name}.{key}" if name.startswith("-") else f"{fact}[{key}]"
    kind: Kind = "dependency" if fact == _PACKAGES else "rule" if condition or now.because or was.because else "default"
    state = after.arguments.get(name) or after.variables.get(name)
    because = f": {now.because[0]}" if now.because else ""
    title = (
        f"the {'default' if key.startswith('default of ') else 'effective value'} of {name}"
        if key
        else FACTS[fact].brief.rstrip(".")
    )
    cited = [str(at) for at in (*now.locations[:1], *was.locations[:1])] or [after.source]
    return Change(
        name=name,
        aliases=(flag,) if name == fact != flag else tuple(n for n in state.names if n != name) if state else (),
        fact=fact,
        kind=kind,
        old=was.value,
        new=now.value,
        condition=condition or None,
        effects=_effects(fact),
        severity=FACTS[fact].severity,
        summary=f"{title}{because}",
        sources=tuple(dict.fromkeys(cited)),
        old_depends=was.reason if was.state == "unknown" else None,
        new_depends=now.reason if now.state == "unknown" else None,
    )


def _agrees(flag: str, fact: str) -> bool:
    """Whether an argument's true is the fact's: ``--disable-x`` says the opposite, and CUDA graphs are not eager."""
    if fact == "runtime.enforce_eager":
        return "eager" in flag
    return re.search(r"(?:^|[-_])(?:disable|no)[-_]", flag) is None


def _effects(fact: str) -> tuple[Effect, ...]:
    best = max((start for start in _EFFECTS if fact.startswith(start)), key=len, default="")
    return _EFFECTS[best] if best else ()


def _settled(before: Release, after: Release) -> frozenset[str]:
    """Arguments and variables whose effect is known in both releases and the same, however it is written."""
    engine = registry.engine(after.engine)
    (old,), (new,) = _read(before, {}), _read(after, {})
    names: set[str] = set()
    for fact, key in old.keys() & new.keys():
        was, now = old[fact, key], new[fact, key]
        # An argument without a fact of its own is "absent" where only a minimal launch makes it so.
        states = ("known",) if fact in (_OTHER, _ENV) else ("known", "absent")
        if was.state in states and (was.state, was.value) == (now.state, now.value):
            if fact in (_OTHER, _ENV):
                names.add(key)
            elif not key:
                flags = (engine.flag_for(fact, one.version) for one in (before, after))
                names.update(flag.rpartition(" ")[2] for flag in flags if flag)
    return frozenset(names)


# Arguments, variables, metrics


def _facts_of(release: Release) -> dict[str, str]:
    engine = registry.engine(release.engine)
    return {flag: fact for fact in FACTS if (flag := engine.flag_for(fact, release.version)) is not None}


def _arguments(before: Release, after: Release, exposed: _Exposed | None, told: frozenset[str]) -> Iterator[Change]:
    facts = {**_facts_of(after), **_facts_of(before)}
    old, new = before.arguments, after.arguments
    aliases = {alias: name for name, state in new.items() for alias in (name, *state.names)}
    earlier = {alias.replace("_", "-") for name, state in old.items() for alias in (name, *state.names)}
    for name, was in sorted(old.items()):
        written = _written(exposed, (name, *was.names))
        now = new.get(name)
        if now is None:
            if (name.startswith("--no-") and name in aliases) or name.startswith("image "):
                continue  # the toggle is listed under its other name; of an image it is not known what it has
            if exposed is None or written:
                # Where the first release wrote an underscore, later parsers take both spellings.
                alias = aliases.get(name) or aliases.get(name.replace("_", "-")) or ""
                yield _gone(before, after, name, was, alias, written)
        elif (
            told.isdisjoint((name, *now.names, name.replace("--disable-", "--enable-", 1)))
            and not _stays(exposed, name, now.names, facts.get(name, ""))
            and _changed(was, now)
        ):
            yield _changed_default(after, name, was, now, facts.get(name, ""))
    if exposed is not None:
        return
    # What llama-cpp-python bundles was not read in its first releases: nothing is said to be new there.
    bundled = any(state.at.startswith("vendor/") for state in old.values())
    for name, state in sorted(new.items()):
        if name.replace("_", "-") in earlier or any(alias in old for alias in state.names) or name.startswith("image "):
            continue
        if state.at.startswith("vendor/") and not bundled:
            continue
        yield Change(
            name=name,
            aliases=tuple(n for n in state.names if n != name),
            fact=facts.get(name),
            kind="added",
            new=state.value,
            severity="info",
            summary=f"new in the later of the two releases: {name}",
            sources=_at(after, state),
        )


def _changed(was: Default, now: Default) -> bool:
    if was.at.startswith("vendor/") != now.at.startswith("vendor/"):
        return False  # one name of two programs: llama_cpp.server's, and that of the server which it bundles
    if _switch(was) and _switch(now) and not {type(was.value), type(now.value)} <= {bool, type(None)}:
        return False  # it is written into another setting, of which the word is
    if was.kind == "rule" and now.kind == "rule":
        return False  # the placeholder of a computed default says nothing
    if was.kind != now.kind:
        # From "computed" to nothing is no change that anyone could name; from off to "computed" is one.
        return was.value != now.value and not ({repr(was.value), repr(now.value)} <= {"None", "''", "[]", "{}"})
    # None, "", [], {} and False all mean "nothing here"; 0 does not.
    return was.value != now.value and not (_nothing(was.value) and _nothing(now.value))


def _switch(state: Default) -> bool:
    return state.takes in ("switch", "toggle") or any(name.startswith("--no-") for name in state.names)


def _same_word(was: JsonData, now: JsonData) -> bool:
    """Whether two defaults of a variable are one: some releases write the text, others what it is read as."""
    return _word(was) == _word(now)


def _word(value: JsonData) -> JsonData:
    text = str(value).strip().lower()
    try:
        return float(text)
    except ValueError:
        return _WORDS.get(text, value)


_WORDS: Mapping[str, JsonData] = {"": 0.0, "false": 0.0, "true": 1.0}


def _nothing(value: JsonData) -> bool:
    return value is None or value is False or value == "" or value == [] or value == {}


def _changed_default(after: Release, name: str, was: Default, now: Default, fact: str) -> Change:
    computed = "rule" in (was.kind, now.kind)
    summary = f"the default of {name} changes"
    severity: Severity = FACTS[fact].severity if fact else "low"
    if None in (was.value, now.value):
        # What the engine makes of "not set" is not in the data: that it acts otherwise is not shown.
        summary = f"{name} {'has no fixed default any more' if now.value is None else 'has a fixed default now'}"
        severity = severity if fact else "info"
    kind: Kind = "image" if name.startswith("image ") else "rule" if computed else "default"
    return Change(
        name=name,
        aliases=tuple(n for n in now.names if n != name),
        fact=fact or None,
        kind=kind,
        old=was.value,
        new=now.value,
        condition="where it is not set",
        effects=_effects(fact) if fact else (),
        severity=severity,
        summary=summary,
        sources=_at(after, now),
        old_depends="the release decides it at start" if was.kind == "rule" and was.value is None else None,
        new_depends="the release decides it at start" if now.kind == "rule" and now.value is None else None,
    )


def _gone(before: Release, after: Release, name: str, was: Default, alias: str, written: tuple[str, ...]) -> Change:
    """An argument that the later release has not: under another name, replaced, or refused."""
    option = name.startswith("-")
    severity: Severity = "medium" if option else "low"
    kind: Kind = "removed"
    successor = alias or (_successor(after, name, was) if option and registry.recognition(after.engine).image else "")
    if alias:
        kind, severity = "renamed", "info"
        summary = f"{name} is now called {alias}; the old name is still taken"
    elif successor:
        kind, summary = "renamed", f"{name} is gone; write {successor}"
    else:
        summary = f"{name} is gone"
    return Change(
        name=name,
        aliases=tuple(n for n in was.names if n != name),
        kind=kind,
        old=was.value,
        new=successor or None,
        condition="where it is given" if option else "where it is used",
        effects=("compatibility",),
        severity=severity,
        summary=summary,
        sources=_at(before, was),
        used_at=written,
    )


def _successor(after: Release, name: str, was: Default) -> str:
    """What the engine's table advises in place of an argument: the problem that reading it gives."""
    words = (name,) if was.takes in ("switch", "toggle") else (name, "1")
    problems = registry.engine(after.engine).read(_launch(after, words)).problems
    advice = next((p.suggestion for p in problems if p.kind == "removed-argument" and p.argument == name), "")
    if not advice.startswith("-"):
        return ""
    flag = advice.split()[0].split(".")[0]
    known = flag in after.arguments or any(flag in one.names for one in after.arguments.values())
    return advice if known else ""


def _variables(before: Release, after: Release, exposed: _Exposed | None, told: frozenset[str]) -> Iterator[Change]:
    places = {one.at for one in after.arguments.values()} - {""}
    for name, was in sorted(before.variables.items()):
        place = exposed.variables.get(name) if exposed is not None else None
        now = after.variables.get(name)
        if now is None:
            if exposed is not None and place is None:
                continue
            # llama.cpp still looks for LLAMA_ARG_NO_X beside LLAMA_ARG_X (common_arg::get_value_from_env).
            if name.replace("LLAMA_ARG_NO_", "LLAMA_ARG_", 1) in after.variables:
                continue
            yield Change(
                name=name,
                fact=_ENV,
                kind="env",
                old=was.value,
                condition="where it is set",
                effects=("compatibility",),
                severity="medium" if place else "low",
                summary=f"{name} is not read any more: what is set there is ignored",
                sources=_at(before, was),
                used_at=(place,) if place else (),
            )
        elif name in told or _stays(exposed, name) or now.at in places:
            continue  # llama.cpp declares an argument and its variable in one place: that is one change
        elif was.value is None or now.value is None:
            continue  # without a default in the list of variables it is decided where the variable is used
        elif _changed(was, now) and not _same_word(was.value, now.value):
            yield _changed_default(after, name, was, now, "")


def _requests(before: Release, after: Release, exposed: _Exposed | None) -> Iterator[Change]:
    """Fields of a request. What clients send is in no deployment, so that each is told whatever the deployment has."""
    for name in sorted(before.requests.keys() | after.requests.keys()):
        was, now = before.requests.get(name), after.requests.get(name)
        if was is None or now is None:
            if not before.requests or not after.requests or (was is None and exposed is not None):
                continue
            state = was or now
            yield Change(
                name=name,
                kind="api",
                old=was.value if was else None,
                new=now.value if now else None,
                condition="for requests with this field",
                effects=("compatibility",),
                severity="medium" if was else "info",
                summary=f"requests {'cannot have' if was else 'can now have'} the field {name}"
                + (" any more" if was else ""),
                sources=_at(before if was else after, state) if state else (),
            )
        elif _changed(was, now):
            yield Change(
                name=name,
                kind="api",
                old=was.value,
                new=now.value,
                condition="for requests without this field",
                effects=("quality",),
                # Without a value the model's own or another setting's decides, which may well be the same.
                severity="low" if None in (was.value, now.value) else "medium",
                summary=f"what a request gets that leaves out {name} "
                + (
                    "is not fixed any more" if now.value is None else "is fixed now" if was.value is None else "changes"
                ),
                sources=_at(after, now),
            )


def _packages(before: Release, after: Release, exposed: _Exposed | None) -> Iterator[Change]:
    """What a release is built with or pins, where an effective fact does not tell it already."""
    for name, was in sorted(before.packages.items()):
        now = after.packages.get(name)
        if (
            now is None
            or name == "container"  # what holds the release, not what it holds
            or _pinned(was.value) == _pinned(now.value)
            or (exposed is not None and (f"{_PACKAGES}[{name}]" in exposed.stated))
        ):
            continue
        yield Change(
            name=name,
            fact=_PACKAGES,
            kind="dependency",
            old=was.value,
            new=now.value,
            effects=_effects(_PACKAGES),
            severity="medium" if name in _inner() else "low",
            summary=f"another release of {name} is {'built in' if str(now.value)[:1].isdigit() else 'asked for'}"
            + (f": see `askew defaults {name} OLD NEW`" if name in _inner() else ""),
            sources=_at(after, now),
        )


def _inner() -> frozenset[str]:
    """Engines that another may have inside, under the names of their packages: ``triton`` is a language there."""
    return frozenset(registry.engine_names()) - {"triton"}


def _pinned(version: JsonData) -> object:
    """A requirement without its spelling: ``==2.0.1`` is ``2.0.1``, 11.8 is 11.8.0, and order says nothing."""
    if not isinstance(version, str):
        return version
    parts = (re.sub(r"(?<=\d)(?:\.0)+(?=$|\+)", "", one.strip().removeprefix("==")) for one in version.split(","))
    return frozenset(one.partition("+")[0] for one in parts)


def _within(before: Release, after: Release, exposed: _Exposed | None, told: frozenset[str]) -> Iterator[Change]:
    """What goes with the other release of an engine that is built in. Its defaults are effective facts already."""
    for name in sorted(before.packages.keys() & after.packages.keys() & _inner()):
        old, new = (versions.load(name, str(one.packages[name].value)) for one in (before, after))
        if old is None or new is None or old.version == new.version:
            continue
        found = (
            *_arguments(old, new, exposed, told),
            *_variables(old, new, exposed, told),
            *_metrics(old, new, exposed),
        )
        for change in found:
            if change.kind in ("removed", "renamed", "metric") or (change.kind == "env" and change.severity != "info"):
                condition = ", ".join([f"in the {name} that is built in", *filter(None, [change.condition])])
                yield msgspec.structs.replace(change, condition=condition)


def _core(release: Release) -> str:
    """The generation of the engine that runs unless something stops it, in releases that have two; else empty."""
    if not any(one.core for one in release.metrics.values()):
        return ""
    entry = _read(release, {GPU_MODEL: ["h100-80gb-sxm"]})[0].get((_ENV, "VLLM_USE_V1"))
    return {"0": "v0", "1": "v1"}.get(str(entry.value), "") if entry is not None and entry.state == "known" else ""


def _metrics(before: Release, after: Release, exposed: _Exposed | None) -> Iterator[Change]:
    ran, runs = _core(before), _core(after)
    for name, was in sorted(before.metrics.items()):
        now = after.metrics.get(name)
        if (was.hidden and now is not None) or (was.core and ran and was.core != ran):
            continue
        condition = "where a switch brought hidden metrics back" if was.hidden else None
        if now is None:
            what = "is gone"
        elif now.hidden:
            what, condition = "is hidden", "unless a switch brings hidden metrics back"
        elif now.core and runs and now.core != runs:
            what, condition = (
                f"is only emitted by {now.core.upper()}",
                f"where {runs.upper()} runs, which is the default",
            )
        else:
            continue
        used = _queried(name, exposed.documents) if exposed is not None else ()
        if exposed is not None and not used:
            continue
        heir = was.heir if was.heir in after.metrics and not after.metrics[was.heir].hidden else ""
        yield Change(
            name=name,
            kind="metric",
            new=heir or None,
            condition=condition,
            effects=("observability",),
            severity="low" if was.hidden else "medium",
            summary=f"the metric {name} {what}"
            + (f"; ask for {heir}" if heir else "")
            + "; autoscalers, alerts and dashboards that ask for it get nothing",
            sources=_at(before, was),
            used_at=used,
            queried_by=_public(after.engine, name),
        )


def _public(engine: str, metric: str) -> tuple[str, ...]:
    """The public queries that ask for a metric: what each is, and its address."""
    plain = metric.removesuffix("_total")
    asking = (
        query for query in versions.queries(engine) if plain in [one.removesuffix("_total") for one in query.metrics]
    )
    return tuple(f"{query.what}: {query.address}" for query in asking)


# The deployment


def _exposed(uri: str, engine: str) -> _Exposed:
    from askew.app.load import load
    from askew.evidence.redaction import Redactor

    side = load(uri, "target", Redactor())
    if side.errors:
        error = side.errors[0]
        place = error.source + (f":{error.line}" if error.line else "")
        raise UsageError(f"--flags {place}: {error.message}", error.hint)
    chosen = tuple(one for one in side.snapshots if one.engine is not None and one.engine.name == engine)
    if not chosen:
        raise UsageError(f"--flags {uri}: no workload there runs {engine}", "`askew facts` shows what it runs")
    words: dict[str, str] = {}
    variables: dict[str, str] = {}
    stated: list[frozenset[str]] = []
    for one in chosen:
        launch = one.launch
        given = {_plain(t.text): str(t.location) for t in launch.argv if t.text[:1] == "-"} if launch else {}
        env = {name: str(variable.location) for name, variable in launch.env.items()} if launch else {}
        words = {**given, **words}
        variables = {**env, **variables}
        stated.append(frozenset((*_stated(one), *given, *env)))
    models = [one.facts[GPU_MODEL] for one in chosen if GPU_MODEL in one.facts]
    gpus = {str(name) for one in models if isinstance(one.value, list) for name in one.value}
    return _Exposed(
        snapshots=chosen,
        documents=side.documents,
        words=words,
        variables=variables,
        stated=frozenset.intersection(*stated),
        gpus=tuple(sorted(gpus)) if len(models) == len(chosen) else (),
    )


def _stated(snapshot: Snapshot) -> frozenset[str]:
    """Facts, and the arguments and variables behind map facts, that something other than a default decides."""
    names: set[str] = set()
    for fact, one in snapshot.facts.items():
        for key, entry in one.entries.items() if one.entries else (("", one),):
            if entry.origin in ("explicit", "env", "config-file") and entry.state != "unsupported":
                names.add(key or fact)
    return frozenset(names)


def _plain(word: str) -> str:
    """The name in a word: ``--max_model_len=8`` is ``--max-model-len``, ``--no-x`` is ``--x``."""
    name = word.split("=", 1)[0].split(".", 1)[0]
    return name.replace("_", "-") if name.startswith("--") else name


def _stays(exposed: _Exposed | None, name: str, aliases: Sequence[str] = (), fact: str = "") -> bool:
    """Whether no workload leaves this to the engine, so that a change of its default reaches none."""
    if exposed is None:
        return False
    names = {fact, *(spelling for one in (name, *aliases) for spelling in (one, one.replace("--", "--no-", 1)))}
    return not exposed.stated.isdisjoint(names - {""})


def _written(exposed: _Exposed | None, names: Sequence[str]) -> tuple[str, ...]:
    if exposed is None:
        return ()
    found = []
    for name in dict.fromkeys(names):
        for spelling in (name, name.replace("--", "--no-", 1)) if name.startswith("--") else (name,):
            if spelling in exposed.words:
                found.append(exposed.words[spelling])
    return tuple(found)


def _queried(metric: str, documents: Sequence[Document]) -> tuple[str, ...]:
    """Where a metric is asked for: with Prometheus' suffixes, and with the colon that adapters turn into ``_``."""
    name = re.escape(metric.removesuffix("_total")).replace(":", "[:_]")
    pattern = re.compile(rf"(?<![\w:]){name}(?:_total|_bucket|_sum|_count|_created)?(?![\w:])")
    return tuple(
        dict.fromkeys(
            f"{document.root.location.source}:{row}"
            for document in documents
            for row, line in enumerate(document.lines, 1)
            if pattern.search(line.split(" #", 1)[0]) and not line.lstrip().startswith("#")
        )
    )
