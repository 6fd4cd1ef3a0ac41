"""Golden outputs: what a validated model gave for fixed inputs, and whether the served one gives it still."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence

import msgspec

from askew.probe.agree import Agreement, Tolerance, agree
from askew.probe.speak import KINDS, Json, Kind, ProbeError, Send, Speaker, found_kind, found_model, kind_of

FORMAT = "askew/golden/v1"
CHECKED = "askew/golden-check/v1"
MAX_INPUTS = 1000
MAX_TOKENS = 1024
_HINT = "give the file as `askew golden record` wrote it"


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """An input and what came back. ``stable`` is false where the server answered two ways itself: that says nothing."""

    input: Json
    output: Json = None
    stable: bool = True


class Golden(msgspec.Struct, frozen=True, kw_only=True):
    """What was recorded. ``server`` is the kind of server. ``digest`` is of inputs and outputs, and what
    ``model.golden_outputs`` is."""

    schema: str
    tool: str
    created_at: str
    url: str
    server: str
    model: str
    max_tokens: int
    tolerance: Tolerance
    digest: str
    cases: list[Case]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """How one input fared: ``same``, ``different``, ``unstable`` (it was so when recorded) or ``failed``."""

    number: int
    outcome: str
    why: str = ""
    distance: float = 0.0


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """A verification. ``digest`` is the recorded one where every stable output agrees, so that both are one value."""

    schema: str = CHECKED
    tool: str
    created_at: str
    url: str
    golden: str
    verdict: str
    digest: str
    results: list[Result]


def record(
    send: Send,
    url: str,
    inputs: Sequence[Json],
    *,
    kind: str,
    model: str,
    max_tokens: int,
    tolerance: Tolerance,
    tool: str,
    now: str,
    progress: Callable[[str], None] | None = None,
) -> Golden:
    """Send every input twice and keep what came back. Raises ProbeError where one has no result: what is golden is
    whole."""
    if not inputs or len(inputs) > MAX_INPUTS:
        raise ProbeError(f"there are {len(inputs)} inputs", f"give between 1 and {MAX_INPUTS}, one JSON value a line")
    told: Kind = _kind(kind) if kind else kind_of(inputs[0]) or found_kind(send, inputs[0])
    name = model or found_model(send, told)
    speaker = Speaker(send, told, name, max_tokens)
    cases: list[Case] = []
    for number, given in enumerate(inputs, 1):
        if progress is not None:
            progress(f"recording {number} of {len(inputs)}")
        first, again = speaker.ask(given), speaker.ask(given)
        stable = agree(told, first, again, tolerance)
        cases.append(Case(input=given, output=first, stable=stable.agrees and not stable.near_tie))
    if not any(case.stable for case in cases):
        raise ProbeError(
            "the server answers every input differently each time",
            "take what makes it random away (sampling, dropout, a changing date in the prompt)",
        )
    return Golden(
        schema=FORMAT, tool=tool, created_at=now, url=url, server=told, model=name, max_tokens=max_tokens,
        tolerance=tolerance, digest=_digest(told, cases), cases=cases,
    )  # fmt: skip


def verify(
    send: Send,
    url: str,
    golden: Golden,
    *,
    model: str,
    tool: str,
    now: str,
    progress: Callable[[str], None] | None = None,
) -> Checked:
    """Send every stable input and compare. A request that fails is a result, too."""
    kind = _kind(golden.server)
    speaker = Speaker(send, kind, model or golden.model, golden.max_tokens)
    results: list[Result] = []
    seen: list[Case] = []
    for number, case in enumerate(golden.cases, 1):
        if not case.stable:
            results.append(Result(number=number, outcome="unstable", why="it was answered two ways when recorded"))
            seen.append(case)
            continue
        if progress is not None:
            progress(f"verifying {number} of {len(golden.cases)}")
        try:
            output = speaker.ask(case.input)
        except ProbeError as error:
            results.append(Result(number=number, outcome="failed", why=f"{error.message}; {error.hint}"))
            continue
        found: Agreement = agree(kind, case.output, output, golden.tolerance)
        outcome = "same" if found.agrees else "different"
        results.append(Result(number=number, outcome=outcome, why=found.why, distance=found.distance))
        seen.append(Case(input=case.input, output=output))
    outcomes = {result.outcome for result in results}
    verdict = "different" if "different" in outcomes else "incomplete" if "failed" in outcomes else "same"
    digest = {"same": golden.digest, "different": _digest(kind, seen)}.get(verdict, "")
    return Checked(
        tool=tool, created_at=now, url=url, golden=golden.digest, verdict=verdict, digest=digest, results=results
    )


def read(data: bytes) -> Golden:
    """What ``record`` wrote. Raises ProbeError."""
    try:
        golden = msgspec.convert(json.loads(data), Golden)
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise ProbeError(f"this holds no golden outputs: {str(error)[:200]}", _HINT) from None
    if golden.schema != FORMAT:
        raise ProbeError(f"expected {FORMAT}, found {golden.schema[:60]!r}", _HINT)
    if golden.digest != _digest(golden.server, golden.cases):
        raise ProbeError("the outputs are not those that the digest tells: the file was changed", "record it again")
    if not 0 < len(golden.cases) <= MAX_INPUTS or not 0 < golden.max_tokens <= MAX_TOKENS:
        raise ProbeError("the file asks for more than this build sends", _HINT)
    _kind(golden.server)
    return golden


def written(value: Golden | Checked) -> str:
    """The file: JSON that people can compare line by line."""
    return json.dumps(msgspec.to_builtins(value), indent=1, ensure_ascii=False) + "\n"


def _digest(kind: str, cases: Sequence[Case]) -> str:
    whole = [kind, [[case.input, case.output, case.stable] for case in cases]]
    text = json.dumps(msgspec.to_builtins(whole), sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _kind(name: str) -> Kind:
    for kind in KINDS:
        if kind == name:
            return kind  # type: ignore[return-value]  # KINDS are its values
    raise ProbeError(f"'{name}' is no kind of server", f"these are: {', '.join(KINDS)}")
