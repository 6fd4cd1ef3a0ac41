"""Golden outputs: what a validated model gave for fixed inputs, and whether the served one gives it still."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence

import msgspec

from askew.facts.catalogue import FACTS
from askew.probe.agree import Agreement, Tolerance, agree
from askew.probe.find import Served, by_form, found_api, found_model, named
from askew.probe.speak import Api, Json, ProbeError, Send, Speaker

FORMAT = "askew/golden/v1"
CHECKED = "askew/golden-check/v1"
MAX_INPUTS = 1000
MAX_TOKENS = 1024
MAX_BYTES = 24 * 2**20  # of inputs and outputs: what is written can be read again
_ROW = 3  # inputs that fail one after another
_SAID = 3  # failures that a reason names
_HINT = "give the file as `askew golden record` wrote it"
_NOBODY = Served()


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """An input and what came back. ``stable`` is false where the server answered two ways itself, ``why`` says how:
    that says nothing of another server."""

    input: Json
    output: Json = None
    stable: bool = True
    why: str = ""


class Golden(msgspec.Struct, frozen=True, kw_only=True):
    """What was recorded, through which API. ``served`` is what the server said of itself then: facts with canonical
    values. ``status`` is partial where some inputs have no output, ``reason`` says which and why. ``digest`` is of
    inputs and outputs, and what ``model.golden_outputs`` is: only digests of one recording can be compared, so its name
    stands before the colon."""

    schema: str
    tool: str
    created_at: str
    url: str
    api: str
    model: str
    max_tokens: int
    tolerance: Tolerance
    served: dict[str, Json] = {}
    status: str = "complete"
    reason: str = ""
    digest: str
    cases: list[Case]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """How one input fared: ``same``, ``different``, ``tied`` (the texts part where two tokens were as likely, and what
    follows says nothing), ``unstable`` (it was so when recorded), ``failed`` or ``unasked``.

    ``recorded`` and ``now`` are the two outputs where they part, short.
    """

    number: int
    outcome: str
    why: str = ""
    recorded: str = ""
    now: str = ""
    distance: float = 0.0


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What the server says of itself, and said otherwise when its outputs were recorded."""

    fact: str
    recorded: Json
    now: Json


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """A verification. ``digest`` is the recorded one where every stable output agrees, so that both are one value; it
    is empty where no output differs and some are missing, or none was the same to its end. ``path`` is what was asked
    below ``url``."""

    schema: str = CHECKED
    tool: str
    created_at: str
    url: str
    path: str
    model: str
    golden: str
    verdict: str
    digest: str
    changed: list[Change]
    results: list[Result]


def record(
    send: Send,
    url: str,
    inputs: Sequence[Json],
    *,
    api: str,
    model: str,
    max_tokens: int,
    tolerance: Tolerance,
    tool: str,
    now: str,
    served: Served = _NOBODY,
    progress: Callable[[str], None] | None = None,
) -> tuple[Golden, bool]:
    """Send every input twice and keep what came back; whether Ctrl-C ended it. Inputs without a result are left out,
    and said. Raises ProbeError where none has one, or none is answered the same way twice."""
    if not inputs or len(inputs) > MAX_INPUTS:
        raise ProbeError(f"there are {len(inputs)} inputs", f"give between 1 and {MAX_INPUTS}, one JSON value a line")
    told: Api = named(api) if api else by_form(inputs[0]) or found_api(send, inputs[0], served)
    name = model or found_model(send, told, served)
    speaker = Speaker(send, told, name, max_tokens)
    cases: list[Case] = []
    asking = _Asking(len(inputs), "recording", progress)
    size = 0
    try:
        for number, given in enumerate(inputs, 1):
            asking.at(number)
            try:
                first, again = speaker.ask(given), speaker.ask(given)
            except ProbeError as error:
                if asking.failed(number, error):
                    break
                continue
            asking.succeeded()
            case = _case(told, given, first, again, tolerance)
            size += len(_line(case.input)) + len(_line(case.output))
            if size > MAX_BYTES:
                asking.left(number, f"the outputs are more than {MAX_BYTES:,} bytes")
                break
            cases.append(case)
    except KeyboardInterrupt:
        asking.interrupted = True
        if not cases:
            raise
    if not cases and asking.worst is not None:
        raise asking.worst
    if not any(case.stable for case in cases):
        raise ProbeError(
            "the server answers every input differently each time",
            "take what makes it random away (sampling, dropout, a changing date in the prompt)",
        )
    missing = len(inputs) - len(cases)
    golden = Golden(
        schema=FORMAT, tool=tool, created_at=now, url=url, api=told, model=name, max_tokens=max_tokens,
        tolerance=tolerance, served=dict(served.facts), status="partial" if missing else "complete",
        reason=asking.reason(missing), digest=_digest(told, cases), cases=cases,
    )  # fmt: skip
    return golden, asking.interrupted


def _case(api: Api, given: Json, first: Json, again: Json, tolerance: Tolerance) -> Case:
    twice = agree(api, first, again, tolerance)
    stable = twice.agrees and not twice.near_tie
    return Case(input=given, output=first, stable=stable, why="" if stable else twice.why)


class _Asking:
    """How the questions of one run go, and when to stop: a server that fails one input after another is not asked on,
    because each may take as long as it likes up to the limit."""

    def __init__(self, count: int, doing: str, progress: Callable[[str], None] | None) -> None:
        self._count = count
        self._doing = doing
        self._progress = progress
        self._row = 0
        self._said: list[str] = []
        self.worst: ProbeError | None = None
        self.interrupted = False

    def at(self, number: int) -> None:
        if self._progress is not None:
            self._progress(f"{self._doing} {number} of {self._count}")

    def succeeded(self) -> None:
        self._row = 0

    def failed(self, number: int, error: ProbeError) -> bool:
        """Whether to stop."""
        self._row += 1
        self.worst = self.worst or error
        self._said.append(f"input {number}: {error.message}")
        return error.ends or self._row >= _ROW

    def left(self, number: int, why: str) -> None:
        self._said.append(f"input {number}: {why}")

    def reason(self, missing: int) -> str:
        if not missing:
            return ""
        said = [*self._said[:_SAID], *(["Ctrl-C"] if self.interrupted else [])]
        return f"{missing} of {self._count} inputs have no output: {'; '.join(said)}"


def verify(
    send: Send,
    url: str,
    golden: Golden,
    *,
    model: str,
    tool: str,
    now: str,
    served: Served = _NOBODY,
    progress: Callable[[str], None] | None = None,
) -> tuple[Checked, bool]:
    """Send every stable input and compare; whether Ctrl-C ended it. A request that fails is a result, too."""
    api = named(golden.api)
    speaker = Speaker(send, api, model or golden.model, golden.max_tokens)
    results: list[Result] = []
    outputs: dict[int, Json] = {}
    asking = _Asking(len(golden.cases), "verifying", progress)
    over = ""
    try:
        for number, case in enumerate(golden.cases, 1):
            if not case.stable:
                why = "it was answered two ways when recorded"
                results.append(Result(number=number, outcome="unstable", why=why))
                continue
            if over:
                results.append(Result(number=number, outcome="unasked", why=over))
                continue
            asking.at(number)
            try:
                output = speaker.ask(case.input)
            except ProbeError as error:
                results.append(Result(number=number, outcome="failed", why=f"{error.message}; {error.hint}"))
                if asking.failed(number, error):
                    over = f"not asked: {error.message}"
                continue
            asking.succeeded()
            outputs[number] = output
            results.append(_result(number, agree(api, case.output, output, golden.tolerance)))
    except KeyboardInterrupt:
        asking.interrupted = True
        for number in range(len(results) + 1, len(golden.cases) + 1):
            results.append(Result(number=number, outcome="unasked", why="not asked: interrupted"))
    outcomes = {result.outcome for result in results}
    missing = outcomes & {"failed", "unasked"}
    whole = "same" in outcomes and not missing
    verdict = "different" if "different" in outcomes else "same" if whole else "incomplete"
    seen = [Case(input=c.input, output=outputs.get(n, c.output)) for n, c in enumerate(golden.cases, 1)]
    other = f"{golden.digest.partition(':')[0]}:{_hash(api, seen)}"
    checked = Checked(
        tool=tool, created_at=now, url=url, path=speaker.path, model=speaker.model, golden=golden.digest,
        verdict=verdict, digest={"same": golden.digest, "different": other}.get(verdict, ""),
        changed=changes(golden.served, served.facts), results=results,
    )  # fmt: skip
    return checked, asking.interrupted


def _result(number: int, found: Agreement) -> Result:
    outcome = "tied" if found.near_tie else "same" if found.agrees else "different"
    return Result(
        number=number, outcome=outcome, why=found.why, recorded=found.recorded, now=found.now, distance=found.distance
    )


def changes(recorded: Mapping[str, Json], now: Mapping[str, Json]) -> list[Change]:
    """The facts that two servers state differently. What only one of them states says nothing."""
    both = sorted(recorded.keys() & now.keys())
    return [
        Change(fact=key, recorded=recorded[key], now=now[key])
        for key in both
        if key in FACTS and recorded[key] != now[key]
    ]


class Apart(msgspec.Struct, frozen=True, kw_only=True):
    """What two recordings say of each other: the inputs whose outputs differ, as ``number in the first, number in the
    second, how``, and how many inputs of the first the second does not tell of."""

    different: tuple[tuple[int, int, Agreement], ...]
    same: int
    missing: int


def between(first: Golden, second: Golden) -> Apart | None:
    """Compare two recordings within the tolerance of the first; None where they are of two APIs."""
    if first.api != second.api or first.max_tokens != second.max_tokens:
        return None
    api = named(first.api)
    there = {_key(case.input): (number, case) for number, case in enumerate(second.cases, 1)}
    different: list[tuple[int, int, Agreement]] = []
    same = missing = 0
    for number, case in enumerate(first.cases, 1):
        place, other = there.get(_key(case.input), (0, None))
        if other is None:
            missing += case.stable
        elif case.stable and other.stable:
            found = agree(api, case.output, other.output, first.tolerance)
            same += found.agrees and not found.near_tie
            if not found.agrees:
                different.append((number, place, found))
    return Apart(different=tuple(different), same=same, missing=missing)


def read(data: bytes) -> Golden:
    """What ``record`` wrote. Raises ProbeError."""
    try:
        golden = msgspec.convert(json.loads(data), Golden)
        digest = _digest(golden.api, golden.cases)
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise ProbeError(f"this holds no golden outputs: {str(error)[:200]}", _HINT) from None
    if golden.schema != FORMAT:
        raise ProbeError(f"expected {FORMAT}, found {golden.schema[:60]!r}", _HINT)
    if golden.digest != digest:
        raise ProbeError("the outputs are not those that the digest tells: the file was changed", "record it again")
    if not 0 < len(golden.cases) <= MAX_INPUTS or not 0 < golden.max_tokens <= MAX_TOKENS:
        raise ProbeError("the file asks for more than this build sends", _HINT)
    named(golden.api)
    return golden


def written(value: Golden | Checked) -> str:
    """The file: JSON, with each input and each output in a line of its own, so that people can compare and point."""
    whole = msgspec.to_builtins(value)
    last = "cases" if isinstance(value, Golden) else "results"
    items = whole.pop(last)
    head = json.dumps(whole, indent=1, ensure_ascii=not _encodable(whole)).removesuffix("\n}")
    rows = (_lines(item) if last == "cases" else [_line(item)] for item in items)
    return f'{head},\n "{last}": [\n' + ",\n".join("  " + "\n   ".join(row) for row in rows) + "\n ]\n}\n"


def _lines(case: Mapping[str, Json]) -> list[str]:
    parts = [f'"{key}": {_line(one)}' for key, one in case.items()]
    return [f"{{{parts[0]},", *(f"{one}," for one in parts[1:2]), f"{', '.join(parts[2:])}}}"]


def _line(value: Json) -> str:
    return json.dumps(value, ensure_ascii=not _encodable(value))


def _key(value: Json) -> str:
    return json.dumps(value, sort_keys=True)


def _encodable(value: Json) -> bool:
    """Whether all characters can be written as they are: halves of pairs cannot."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _digest(api: str, cases: Sequence[Case]) -> str:
    found = _hash(api, cases)
    return f"golden+{found[:8]}:{found}"


def _hash(api: str, cases: Sequence[Case]) -> str:
    whole = [api, [[case.input, case.output, case.stable] for case in cases]]
    text = json.dumps(msgspec.to_builtins(whole), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:40]
