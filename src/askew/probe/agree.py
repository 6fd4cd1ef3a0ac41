"""Whether two results of one input agree, within tolerances, and where they first do not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from askew.probe.speak import TEXT_KINDS, VECTOR_KINDS, Kind, Written

_SHOWN = 40  # characters on either side of where two texts part


class Tolerance(msgspec.Struct, frozen=True, kw_only=True):
    """How far results may lie apart and still agree.

    Numbers: ``absolute`` plus ``relative`` times the recorded one. Embeddings: ``cosine``, one minus the cosine of the
    angle between the two. Language models: ``logprob``, in nats, between the two log probabilities of one token, and
    between two tokens of which either could have stood at a place.
    """

    relative: float = 1e-4
    absolute: float = 1e-6
    cosine: float = 1e-3
    logprob: float = 0.25


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """``why`` says what differs, empty where nothing does; ``distance`` is the largest seen in the terms of the
    tolerance. ``near_tie``: texts part where two tokens were as likely, which rounding alone decides."""

    agrees: bool
    why: str = ""
    distance: float = 0.0
    near_tie: bool = False


def agree(kind: Kind, recorded: object, now: object, tolerance: Tolerance) -> Agreement:
    """Compare two results. Neither is trusted to have the right form."""
    if kind in TEXT_KINDS:
        try:
            return _texts(msgspec.convert(recorded, Written), msgspec.convert(now, Written), tolerance.logprob)
        except msgspec.ValidationError:
            return Agreement(agrees=False, why="one of the two is no text of a language model")
    if kind in VECTOR_KINDS:
        return _vectors(recorded, now, tolerance.cosine)
    return _values(recorded, now, tolerance)


def _texts(recorded: Written, now: Written, limit: float) -> Agreement:
    worst = 0.0
    for place, (a, b) in enumerate(zip(recorded.tokens, now.tokens, strict=False)):
        if a.text != b.text:
            where = f"after {place} tokens: {_quoted(a.text)}, now {_quoted(b.text)}"
            chances = {**dict(a.others), a.text: a.logprob}
            gap = a.logprob - chances[b.text] if b.text in chances else math.inf
            if worst <= limit and abs(gap) <= limit:
                return Agreement(agrees=True, why=f"{where}, as likely", distance=max(worst, abs(gap)), near_tie=True)
            return Agreement(agrees=False, why=f"the texts part {where}", distance=max(worst, min(abs(gap), 1e9)))
        apart = abs(a.logprob - b.logprob) if math.isfinite(a.logprob - b.logprob) else 0.0
        worst = max(worst, apart)
        if apart > limit:
            why = f"token {place + 1}, {_quoted(a.text)}: log probability {a.logprob:.3f}, now {b.logprob:.3f}"
            return Agreement(agrees=False, why=why, distance=worst)
    if recorded.text != now.text:
        at = next((n for n, (x, y) in enumerate(zip(recorded.text, now.text, strict=False)) if x != y), None)
        at = min(len(recorded.text), len(now.text)) if at is None else at
        begin = max(at - _SHOWN, 0)
        left, right = recorded.text[begin : at + _SHOWN], now.text[begin : at + _SHOWN]
        why = f"the texts part at character {at + 1}: {_quoted(left)}, now {_quoted(right)}"
        return Agreement(agrees=False, why=why, distance=worst)
    if recorded.finish != now.finish:
        return Agreement(agrees=False, why=f"it ended by {recorded.finish or '?'}, now by {now.finish or '?'}")
    return Agreement(agrees=True, distance=worst)


def _vectors(recorded: object, now: object, limit: float) -> Agreement:
    if not isinstance(recorded, Sequence) or not isinstance(now, Sequence) or len(recorded) != len(now):
        sizes = [len(one) if isinstance(one, Sequence) else 0 for one in (recorded, now)]
        return Agreement(agrees=False, why=f"{sizes[0]} dimensions, now {sizes[1]}", distance=1.0)
    try:
        a, b = [float(x) for x in recorded], [float(x) for x in now]
    except (TypeError, ValueError):
        return Agreement(agrees=False, why="one of the two is no vector", distance=1.0)
    lengths = math.hypot(*a), math.hypot(*b)
    if not lengths[0] or not lengths[1]:
        same = lengths[0] == lengths[1]
        return Agreement(agrees=same, why="" if same else "one of the two is zero", distance=0.0 if same else 1.0)
    apart = max(0.0, 1 - math.fsum(x * y for x, y in zip(a, b, strict=True)) / lengths[0] / lengths[1])
    # An embedding that is no longer normalised gives other scores where the product counts.
    ratio = abs(lengths[1] / lengths[0] - 1)
    if apart > limit:
        return Agreement(agrees=False, why=f"1 - cosine is {apart:.3g}, at most {limit:g} agrees", distance=apart)
    if ratio > max(limit, 1e-2):
        why = f"the length of the vector is {lengths[0]:.4g}, now {lengths[1]:.4g}"
        return Agreement(agrees=False, why=why, distance=ratio)
    return Agreement(agrees=True, distance=apart)


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
                return Agreement(agrees=False, why=f"{at}: {len(a)} values, now {len(b)}", distance=worst)
            stack.extend((f"{where}[{n}]", a[n], b[n]) for n in reversed(range(len(a))))
        elif _number(a) and _number(b):
            x, y = float(a), float(b)  # type: ignore[arg-type]
            if x == y or (math.isnan(x) and math.isnan(y)):
                continue
            apart = abs(x - y)
            allowed = tolerance.absolute + tolerance.relative * abs(x)
            # Classes are counted: 1 is not nearly 2. Only what has a fraction is rounded differently.
            whole = isinstance(a, int) and isinstance(b, int)
            if whole or not apart <= allowed:
                return Agreement(agrees=False, why=f"{at}: {a}, now {b}", distance=apart)
            worst = max(worst, apart / (abs(x) or 1.0))
        elif type(a) is not type(b) or a != b:
            return Agreement(agrees=False, why=f"{at}: {_quoted(str(a))}, now {_quoted(str(b))}", distance=worst)
    return Agreement(agrees=True, distance=worst)


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _quoted(text: str) -> str:
    shown = text if len(text) <= 2 * _SHOWN else text[: 2 * _SHOWN] + "…"
    return repr(shown)
