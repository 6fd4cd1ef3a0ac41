"""The engine reports something else than it was started with

## What it finds

A setting of the model or the engine that an argument, a variable or a configuration file states, and that the running
engine reports otherwise: its start-up log, its endpoint or its metrics show another dtype, another context length,
another release than the tag of the image names.

## Why it matters

The manifest then tells what does not run, and whoever reviews or compares it is misled. A wrapper that drops or
replaces an argument, an entry point of one's own, a retagged image, or a process that was started before the last edit
look healthy.

## Example

```
args: [--dtype=half]          log: Initializing a V1 LLM engine … dtype=torch.bfloat16
```

## Remedy

See what starts the engine: the entry point of the image, a wrapper, a later argument or configuration file. Restart it
where the process is older than the manifest. Then compare again.

## When it is fine

When the log or the endpoint is of another deployment than the one it was joined to. Where the engine only makes more
exact what was asked for (`auto`, a partial version), nothing is said.

## References

- Command and arguments of a container: https://kubernetes.io/docs/tasks/inject-data-application/define-command-argument-container/
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from askew.checks.interface import Case, Check, Outcome, Subject, found
from askew.checks.reading import serves
from askew.compare.compare import compare
from askew.facts.types import Fact
from askew.findings.finding import Remedy
from askew.resolve.workload import Resolved

_LAUNCHED = frozenset(("explicit", "env", "config-file"))
# What the pods of a cluster run in place of their image's tag, and where it goes, other checks tell.
_OTHERS = ("runtime.image",)


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding for each setting."""
    if not serves(subject):
        return
    snapshot = subject.snapshot
    asked: dict[str, Resolved] = {}
    seen: dict[str, Resolved] = {}
    for key, resolved in snapshot.facts.items():
        if not key.startswith(("model.", "runtime.")) or key.startswith(_OTHERS):
            continue
        if resolved.entries:
            lost = {name: one for name, entry in resolved.entries.items() if (one := _asked(entry)) is not None}
            if lost:
                kept = {name: resolved.entries[name] for name in lost}
                asked[key] = Resolved(fact=key, state="known", origin="explicit", entries=lost)
                seen[key] = msgspec.structs.replace(resolved, entries=kept, whole=False)
        elif (one := _asked(resolved)) is not None:
            asked[key], seen[key] = one, resolved
    if not asked:
        return
    one_side, other_side = (msgspec.structs.replace(snapshot, facts=facts) for facts in (asked, seen))
    for difference in compare(one_side, other_side).differences:
        if difference.confidence != "certain":
            continue
        fact, wanted, runs = difference.fact, difference.reference, difference.target
        if str(runs.value).startswith(f"{wanted.value}.dev"):
            continue  # vendors build from a branch what they name after its release
        name = fact.key + (f"[{difference.key}]" if difference.key else "")
        yield found(
            CHECK,
            subject,
            fact=fact.key,
            key=difference.key,
            reference=wanted,
            target=runs,
            severity=fact.severity,
            summary=f"{name}: {_shown(fact, wanted)} was asked for, and the engine reports {_shown(fact, runs)}",
            impact="What was written is not what runs: a review or a comparison of the manifest does not see it.",
            remedies=(
                Remedy(
                    action="see what starts the engine (the image's entry point, a wrapper, a later argument or file), "
                    "and whether the process is older than what it was started with",
                    location=wanted.locations[0] if wanted.locations else None,
                    verify="after a restart the engine reports what was asked for",
                    undo="nothing was changed",
                    safe=False,
                ),
            ),
        )


def _asked(seen: Resolved) -> Resolved | None:
    """What the launch states of a setting that the engine reports."""
    if seen.origin != "reported" or seen.confidence != "certain" or seen.state not in ("known", "absent"):
        return None
    lost = next((one for one in seen.shadowed if one.origin in _LAUNCHED), None)
    if lost is None or lost.value is None:
        return None
    return Resolved(
        fact=seen.fact, key=seen.key, state="known", value=lost.value, origin=lost.origin, locations=lost.locations
    )


def _shown(fact: Fact, side: Resolved) -> str:
    return fact.type.of(side.key).show(side.value) if side.state == "known" else "none"


_LOG = """\
INFO 05-01 10:00:02 [api_server.py:1043] vLLM API server version 0.8.5
INFO 05-01 10:00:08 [core.py:58] Initializing a V1 LLM engine (v0.8.5) with config: \
model='Qwen/Qwen2.5-7B-Instruct', tokenizer='Qwen/Qwen2.5-7B-Instruct', revision=None, dtype=torch.bfloat16, \
max_seq_len=8192, tensor_parallel_size=1, quantization=None, enforce_eager=False, kv_cache_dtype=auto, seed=0
"""
_SERVICE = """\
services:
  llm:
    image: vllm/vllm-openai:%s
    command: [--model, Qwen/Qwen2.5-7B-Instruct, --dtype, %s, --max-model-len, "%s"]
"""


def _case(name: str, source: str, *, line: int = 0, log: str = _LOG) -> Case:
    joined = (("log:start.log", "start.log", log),)
    return Case(name=name, source=source, fires=bool(line), line=line, joined=joined)


CHECK = Check(
    id="engine-reports-otherwise",
    title="The engine reports something else than it was started with",
    category="runtime",
    severity="high",
    confidence="certain",
    facts=("runtime.dtype", "runtime.max_model_len", "runtime.engine.version"),
    run=run,
    playbook="runtime-config",
    whatever=True,
    cases=(
        _case("another dtype", _SERVICE % ("v0.8.5", "half", 8192), line=2),
        _case("another length", _SERVICE % ("v0.8.5", "bfloat16", 4096), line=2),
        _case("another release than the tag names", _SERVICE % ("v0.9.1", "auto", 8192), line=2),
        _case(
            "a vendor's build of the release",
            _SERVICE % ("v0.8.5", "auto", 8192),
            log=_LOG.replace("0.8.5", "0.8.5.dev3+g1"),
        ),
        _case("what was asked for", _SERVICE % ("v0.8.5", "bfloat16", 8192)),
        _case("the engine chose", _SERVICE % ("v0.8.5", "auto", 8192)),
        Case(name="nothing was reported", source=_SERVICE % ("v0.8.5", "half", 8192), fires=False),
    ),
)
