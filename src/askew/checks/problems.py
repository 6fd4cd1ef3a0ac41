"""Findings made of what an engine's parser says of its launch: one per problem, shown at the word that is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from askew.checks.interface import Check, Subject, found
from askew.checks.reading import engine
from askew.facts.catalogue import FACTS
from askew.facts.types import Severity
from askew.findings.finding import Finding, Remedy
from askew.resolve.observation import Confidence
from askew.resolve.workload import Problem, Resolved

# Images that extend the engine's command line: https://github.com/vllm-project/vllm-omni
_PLUGGED = frozenset(("vllm-omni",))
ABOUT = "runtime.arguments.unmapped"


def reported(
    check: Check, subject: Subject, impact: Callable[[Problem], str], belongs: Callable[[Problem], bool]
) -> Iterator[Finding]:
    """One finding for each problem of the launch that belongs to the check.

    The confidence is *likely* where the release of the engine is not known, *possible* where a script starts the
    engine only in some cases. A setting in the environment is at most *medium*: the engine starts with it.
    """
    snapshot = subject.snapshot
    if snapshot.engine is None or snapshot.launch is None:
        return
    confidence: Confidence = "certain" if snapshot.engine.version else "likely"
    if snapshot.launch.conditional:
        confidence = "possible"
    seen: set[str] = set()
    for problem in snapshot.problems:
        if problem.kind == "unknown-argument" and plugged(subject) and not in_environment(problem):
            continue
        # A place to fill in, as documentation writes it: nobody starts that.
        if (
            re.fullmatch(r".*[<{\[]\s*[A-Za-z_.][^<>{}\[\]]*[>}\]].*", problem.value)
            and problem.kind == "invalid-value"
        ):
            continue
        if not belongs(problem) or not any(at.line or at.object for at in problem.locations):
            continue
        name = problem.argument or problem.value
        key = name if name not in seen else f"{name} {problem.value}"
        if key in seen:
            continue
        seen.add(key)
        severity: Severity = "medium" if in_environment(problem) and check.severity == "high" else check.severity
        yield found(
            check,
            subject,
            key=key,
            target=Resolved(
                fact=ABOUT,
                key=key,
                state="known",
                value=problem.value or name,
                origin="env" if in_environment(problem) else "explicit",
                locations=problem.locations,
            ),
            facts=(problem.fact,) if problem.fact in FACTS else (),
            severity=severity,
            confidence=confidence,
            summary=problem.message,
            impact=impact(problem),
            remedies=(_remedy(subject, problem, name),),
        )


def in_environment(problem: Problem) -> bool:
    """Whether the problem is about a variable, not an argument."""
    return bool(problem.argument) and not problem.argument.startswith("-")


def plugged(subject: Subject) -> bool:
    """Whether the image is one that adds arguments of its own to the engine's, and uses GPUs in ways of its own."""
    image = subject.known("runtime.image")
    return image is not None and str(image.value).rpartition("/")[2] in _PLUGGED


def refused(subject: Subject) -> str:
    """What happens to an engine that is given words it does not take."""
    return f"{_title(subject)} exits before it loads anything: the pods restart until the launch is right."


def _title(subject: Subject) -> str:
    titles = {"vllm": "vLLM", "sglang": "SGLang", "tgi": "TGI", "kserve": "KServe's server", "ray-serve": "Ray Serve"}
    return titles.get(engine(subject), engine(subject) or "The engine")


def _remedy(subject: Subject, problem: Problem, name: str) -> Remedy:
    written = problem.value if not problem.argument or problem.value.startswith(problem.argument) else name
    if problem.suggestion:
        action = f"write {problem.suggestion} for {written}"
    elif problem.kind in ("unknown-argument", "removed-argument", "ignored-argument"):
        action = f"remove {written}, or correct its name"
    else:
        action = f"correct {written}" + (f": {problem.value}" if problem.value and problem.value != written else "")
    return Remedy(
        action=action,
        text=problem.suggestion,
        location=problem.locations[0],
        verify=f"{_title(subject)} starts, and its log shows the setting",
        undo=f"write {problem.value or name} again",
        safe=False,
    )
