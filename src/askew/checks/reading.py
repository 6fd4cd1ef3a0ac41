"""What checks ask of a subject again and again: whether it serves a model at all, and values of an expected kind."""

from __future__ import annotations

from askew.checks.interface import Subject
from askew.evidence.location import Location
from askew.resolve.workload import Resolved

# Kinds that run to their end, or that people use for trying things: with GPUs alone they may be training, or a test.
_PASSING = frozenset(("Job", "CronJob", "RayJob", "RayCluster", "Pod"))


def serves(subject: Subject) -> bool:
    """Whether the workload serves a model: an engine is recognised, or something that stays asks for accelerators."""
    if subject.snapshot.engine is not None:
        return True
    return subject.snapshot.workload.kind not in _PASSING and bool(number(subject, "hardware.gpu.count"))


def number(subject: Subject, fact: str) -> int | float | None:
    """The fact's value when it is a known number, else None."""
    resolved = subject.known(fact)
    value = resolved.value if resolved is not None else None
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def whole(subject: Subject, fact: str) -> int | None:
    """The fact's value when it is a known whole number, else None."""
    value = number(subject, fact)
    return value if isinstance(value, int) else None


def written(resolved: Resolved | None) -> bool:
    """Whether a person wrote the value at a place that can be shown, rather than an engine or platform filling it in.

    The place may be a line, or an object of a live system.
    """
    return resolved is not None and any(lines((resolved,)))


def lines(sides: tuple[Resolved | None, ...]) -> tuple[Location, ...]:
    """The places of several values that lie in the user's own sources, first one first, each once.

    A default's place is the public source of the default: it has no line and belongs to no object.
    """
    return tuple(
        dict.fromkeys(
            at for side in sides if side is not None for at in side.locations if at.line or (at.object and at.path)
        )
    )


def places(subject: Subject, *sides: Resolved | None) -> tuple[Location, ...]:
    """Where a finding is shown: the places of these values in the user's sources, else the launch they belong to."""
    found = lines(sides)
    if found:
        return found
    launch = subject.snapshot.launch
    return (launch.location if launch is not None else subject.snapshot.workload.location,)


def argument(subject: Subject, name: str) -> str | None:
    """The text of an engine argument that has no fact of its own, by its first name (``--nnodes``); None without it."""
    resolved = subject.snapshot.facts.get("runtime.arguments.unmapped")
    entry = resolved.entries.get(name) if resolved is not None else None
    return None if entry is None else str(entry.text or entry.value)


def variable(subject: Subject, name: str) -> str | None:
    """The value of an environment variable of the engine's process; None when it is not set or could not be seen."""
    launch = subject.snapshot.launch
    found = launch.env.get(name) if launch is not None else None
    return found.value if found is not None else None


def engine(subject: Subject) -> str:
    """The name of the engine, or an empty text."""
    return subject.snapshot.engine.name if subject.snapshot.engine is not None else ""


# Servers of language models that open their port when the model is loaded, and take the GPUs that their sizes say.
SERVERS = frozenset(("vllm", "sglang", "tgi", "tensorrt-llm", "lmdeploy"))


def language(subject: Subject) -> bool:
    """Whether the engine serves a language model: by its name, or, for one that serves others too, by its context."""
    name = engine(subject)
    context = "runtime.max_model_len" in subject.snapshot.facts
    return name in SERVERS or (name in ("kserve", "ray-serve") and context)


_POOLING = frozenset(("pooling", "embed", "embedding", "score", "reward", "classify"))


def generates(subject: Subject) -> bool:
    """Whether the engine answers with generated text, as far as its arguments say: no embeddings, no scores."""
    if argument(subject, "--is-embedding") not in (None, "false"):
        return False
    return not any(argument(subject, name) in _POOLING for name in ("--runner", "--task", "--convert"))
