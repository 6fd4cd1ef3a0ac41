"""A difference in one sentence."""

from __future__ import annotations

from askew.evidence.redaction import is_redacted
from askew.facts.types import Fact, Value
from askew.resolve.workload import Resolved


def describe(fact: Fact, key: str, reference: Resolved, target: Resolved) -> str:
    """``runtime.max_model_len: 8192 → 4096``; says where a side is a default, unknown or not set."""
    name = f"{fact.key}[{key}]" if key else fact.key
    if reference.state == "redacted" and target.state == "redacted":
        return f"{name}: the values differ (redacted)"
    if fact.type.difference is not None and reference.state == target.state == "known" and not key:
        told = fact.type.difference(reference.value, target.value)
        if told:
            return f"{name}: {told}"
    return f"{name}: {side(fact, reference)} → {side(fact, target)}"


def side(fact: Fact, resolved: Resolved) -> str:
    """One side as people read it: the value, or why there is none."""
    if resolved.state == "absent":
        return "not set"
    if resolved.state == "redacted":
        return "<redacted>"
    if resolved.state == "unsupported":
        return "not supported by this engine"
    if resolved.state == "unknown":
        return f"{resolved.text} (not resolved)" if resolved.text and not is_redacted(resolved.text) else "unknown"
    default = " (default)" if resolved.origin in ("engine-default", "platform-default") else ""
    return shown(fact, resolved.value, resolved.key) + default


def shown(fact: Fact, value: Value, key: str = "") -> str:
    """A canonical value as people read it; one entry of a map fact by its own type."""
    return fact.type.of(key).show(value)
