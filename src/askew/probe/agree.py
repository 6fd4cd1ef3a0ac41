"""Whether two results of one input agree, within tolerances, and where they first do not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from askew.probe.speak import TEXT_APIS, VECTOR_APIS, Api, Written

_SHOWN = 40  # characters on either side of where two texts part
_FAR = 1e9  # a distance that is written for what has none
_LENGTH = 1e-2  # how much the length of a vector may change at least


class Tolerance(msgspec.Struct, frozen=True, kw_only=True):
    """How far results may lie apart and still agree.

    Numbers: ``absolute`` plus ``relative`` times the larger one. Embeddings: ``cosine``, one minus the cosine of the
    angle between the two. Language models: ``logprob``, in nats, between the two log probabilities of one token, and
    between two tokens of which either could have stood at a place.
    """

    relative: float = 1e-4
    absolute: float = 1e-6
    cosine: float = 1e-3
    logprob: float = 0.25


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """``why`` says what differs, empty where nothing does; ``recorded`` and ``now`` are the two sides of it, short.
    ``distance`` is the largest seen in the terms of the tolerance. ``near_tie``: texts part where two tokens were as
    likely, which rounding alone decides."""

    agrees: bool
    why: str = ""
    recorded: str = ""
    now: str = ""
    distance: float = 0.0
    near_tie: bool = False


def agree(api: Api, recorded: object, now: object, tolerance: Tolerance) -> Agreement:
    """Compare two results. Neither is trusted to have the right form.

    What agrees does so whichever of the two is called the recorded one, and under every larger tolerance; a result
    agrees with itself.
    """
    if api in TEXT_APIS:
        try:
            return _texts(msgspec.convert(recorded, Written), msgspec.convert(now, Written), tolerance.logprob)
        except msgspec.ValidationError:
            return _apart("", "no text of a language model", "", whole=True)
    if api in VECTOR_APIS:
        return _vectors(recorded, now, tolerance.cosine)
    return _values(recorded, now, tolerance)


def _apart(where: str, recorded: str, now: str, distance: float = 0.0, *, whole: bool = False) -> Agreement:
    told = f"one of the two is {recorded}" if whole else f"{recorded}, now {now}"
    why = f"{where}: {told}" if where else told
    if whole:
        recorded = ""
    return Agreement(agrees=False, why=why, recorded=recorded, now=now, distance=min(distance, _FAR))


def _texts(recorded: Written, now: Written, limit: float) -> Agreement:
    worst = 0.0
    for place, (a, b) in enumerate(zip(recorded.tokens, now.tokens, strict=False)):
        if a.text != b.text:
            where, left, right = f"after {place} tokens", _quoted(a.text), _quoted(b.text)
            gaps = [
                abs(mine.logprob - dict(mine.others)[other.text])
                for mine, other in ((a, b), (b, a))
                if other.text in dict(mine.others)
            ]
            gap = max(gaps, default=math.inf)
            if gap <= limit:
                said = f"{where}: {left}, now {right}, as likely"
                return Agreement(
                    agrees=True, why=said, recorded=left, now=right, distance=max(worst, gap), near_tie=True
                )
            whole = _around(recorded.text, now.text)
            found = _apart(f"the texts part {where}", left, right, max(worst, gap if gaps else 0.0))
            return msgspec.structs.replace(found, recorded=whole[0], now=whole[1]) if whole else found
        apart = abs(a.logprob - b.logprob) if math.isfinite(a.logprob - b.logprob) else 0.0
        worst = max(worst, apart)
        if apart > limit:
            where = f"token {place + 1}, {_quoted(a.text)}"
            return _apart(where, f"log probability {a.logprob:.3f}", f"{b.logprob:.3f}", worst)
    if recorded.text != now.text:
        whole = _around(recorded.text, now.text) or ("", "")
        return _apart(f"the texts part at character {_shared(recorded.text, now.text) + 1}", *whole, worst)
    if recorded.finish != now.finish:
        return _apart("", f"it ended by {recorded.finish or '?'}", f"by {now.finish or '?'}", worst)
    return Agreement(agrees=True, distance=worst)


def _shared(one: str, other: str) -> int:
    """How many characters two texts have in common at their beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (x, y) in pairs if x != y), min(len(one), len(other)))


def _around(one: str, other: str) -> tuple[str, str] | None:
    """What stands in two texts on either side of where they part; None where they do not."""
    if one == other:
        return None
    at = _shared(one, other)
    begin, end = max(at - _SHOWN, 0), at + _SHOWN
    dots = "…" if begin else ""
    left, right = (f"{dots}{t[begin:end]}{'…' if len(t) > end else ''}" for t in (one, other))
    return repr(left), repr(right)


def _vectors(recorded: object, now: object, limit: float) -> Agreement:
    if not isinstance(recorded, list) or not isinstance(now, list):
        return _apart("", "no vector", "", 1.0, whole=True)
    if any(isinstance(one, list) for one in (*recorded[:1], *now[:1])):
        return _each(recorded, now, limit)
    if len(recorded) != len(now):
        return _apart("", f"{len(recorded)} dimensions", f"{len(now)}", 1.0)
    a, b = _finite(recorded), _finite(now)
    if a is None or b is None:
        return _apart("", "no vector", "", 1.0, whole=True)
    if a == b:
        return Agreement(agrees=True)
    largest = [max((abs(x) for x in one), default=0.0) for one in (a, b)]
    if not largest[0] or not largest[1]:
        return _apart("", "zero", "", 1.0, whole=True)
    # Scaled first: what is very large or very small has no square.
    scaled = [[x / most for x in one] for one, most in zip((a, b), largest, strict=True)]
    lengths = [math.hypot(*one) for one in scaled]
    product = math.fsum(x * y for x, y in zip(*scaled, strict=True))
    apart = max(0.0, 1 - product / (lengths[0] * lengths[1]))
    if apart > limit:
        why = f"1 - cosine is {apart:.3g}, at most {limit:g} agrees"
        return Agreement(agrees=False, why=why, recorded=_start(a), now=_start(b), distance=apart)
    # An embedding that is no longer normalised gives other scores where the product counts.
    long = [length * most for length, most in zip(lengths, largest, strict=True)]
    ratio = max(long) / min(long) - 1 if min(long) else math.inf
    if long[0] != long[1] and ratio > max(limit, _LENGTH):
        return _apart("", f"the length of the vector is {long[0]:.4g}", f"{long[1]:.4g}", ratio)
    return Agreement(agrees=True, distance=apart)


def _each(recorded: Sequence[object], now: Sequence[object], limit: float) -> Agreement:
    """Compare the vectors of several texts in one input."""
    if len(recorded) != len(now):
        return _apart("", f"{len(recorded)} vectors", f"{len(now)}", 1.0)
    worst = 0.0
    for number, (a, b) in enumerate(zip(recorded, now, strict=True), 1):
        if any(isinstance(inner, list) for one in (a, b) if isinstance(one, list) for inner in one):
            return _apart("", "no vector", "", 1.0, whole=True)
        found = _vectors(a, b, limit)
        if not found.agrees:
            return msgspec.structs.replace(found, why=f"vector {number}: {found.why}")
        worst = max(worst, found.distance)
    return Agreement(agrees=True, distance=worst)


def _finite(value: Sequence[object]) -> list[float] | None:
    found = [_float(one) for one in value]
    return [one for one in found if one is not None] if all(map(_is_finite, found)) else None


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _start(vector: Sequence[float]) -> str:
    return f"[{', '.join(f'{one:.4g}' for one in vector[:3])}{', …' if len(vector) > 3 else ''}]"


def _values(recorded: object, now: object, tolerance: Tolerance) -> Agreement:
    worst = 0.0
    stack: list[tuple[str, object, object]] = [("", recorded, now)]
    while stack:
        where, a, b = stack.pop()
        at = where or "the result"
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            if a.keys() != b.keys():
                names = ", ".join(sorted(map(str, a.keys() ^ b.keys()))[:5])
                return Agreement(agrees=False, why=f"{at}: only one of the two has {names}", distance=worst)
            stack.extend((f"{where}.{key}".lstrip("."), a[key], b[key]) for key in reversed(list(a)))
        elif isinstance(a, list) and isinstance(b, list):
            if len(a) != len(b):
                return _apart(at, f"{len(a)} values", f"{len(b)}", worst)
            stack.extend((f"{where}[{n}]", a[n], b[n]) for n in reversed(range(len(a))))
        elif _number(a) and _number(b):
            # Classes are counted: 1 is not nearly 2. Only what has a fraction is rounded differently.
            if isinstance(a, int) and isinstance(b, int):
                if a != b:
                    return _apart(at, _plain(a), _plain(b), _FAR)
                continue
            x, y = _float(a), _float(b)
            if x is None or y is None:
                return _apart(at, _plain(a), _plain(b), _FAR)
            if x == y or (math.isnan(x) and math.isnan(y)):
                continue
            apart, size = abs(x - y), max(abs(x), abs(y))
            if not math.isfinite(apart) or apart > tolerance.absolute + tolerance.relative * size:
                return _apart(at, _plain(a), _plain(b), apart if math.isfinite(apart) else _FAR)
            worst = max(worst, apart / (size or 1.0))
        elif type(a) is not type(b) or a != b:
            both = _around(a, b) if isinstance(a, str) and isinstance(b, str) else None
            return _apart(at, *(both or (_short(a), _short(b))), worst)
    return Agreement(agrees=True, distance=worst)


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _float(value: object) -> float | None:
    """A number as one with a fraction; None for what is none, or has none."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _plain(value: object) -> str:
    """A number as it stands; Python does not write out an integer of thousands of digits."""
    return str(value) if not isinstance(value, int) or abs(value) < 10**40 else f"a number of {value.bit_length()} bits"


def _short(value: object) -> str:
    """Any JSON value in a few words."""
    if isinstance(value, (list, Mapping)):
        return f"{'a list' if isinstance(value, list) else 'a map'} of {len(value)}"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return _quoted(value) if isinstance(value, str) else _plain(value)


def _quoted(text: str) -> str:
    shown = text if len(text) <= 2 * _SHOWN else text[: 2 * _SHOWN] + "…"
    return repr(shown)
