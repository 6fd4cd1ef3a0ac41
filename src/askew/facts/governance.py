"""What the contract says of people and data. Recorded and listed; it never affects the verdict."""

from __future__ import annotations

from askew.facts import kinds as k
from askew.facts.types import Fact, Value, ValueType

_ROWS: tuple[tuple[str, ValueType, tuple[Value, ...], str, str], ...] = (
    (
        "owner",
        k.text,
        ("ml-platform",),
        "Who answers for the deployment.",
        "Without an owner nobody decides whether a deviation is meant.",
    ),
    (
        "change_approval",
        k.text,
        ("two reviewers",),
        "Who must agree to a change.",
        "Changes that skip it are the usual beginning of skew.",
    ),
    (
        "pii",
        k.boolean,
        (True, False),
        "Whether personal data passes through the model.",
        "It decides what may be logged and kept.",
    ),
    (
        "retention.logs",
        k.seconds,
        (2592000,),
        "How long logs are kept.",
        "Too short loses the evidence of an incident, too long keeps personal data.",
    ),
    (
        "retention.artifacts",
        k.seconds,
        (31536000,),
        "How long model artifacts are kept.",
        "A deleted artifact cannot be rolled back to.",
    ),
    (
        "cost_target",
        k.text,
        ("500 USD per day",),
        "What the deployment may cost.",
        "Idle or oversized GPUs exceed it unnoticed.",
    ),
    (
        "slo",
        k.mapping(),
        ({"availability": 0.999, "ttft_p95": 1.5},),
        "Service levels that were promised.",
        "A configuration that cannot meet them is skewed even if nothing changed.",
    ),
    (
        "observability",
        k.mapping(),
        ({"metrics": True, "tracing": False},),
        "Whether metrics, logs and traces are collected.",
        "Without them skew is noticed by users first.",
    ),
    (
        "dependencies",
        k.string_set,
        (["guardrail-service"],),
        "Other models and services the deployment needs.",
        "A dependency that changes or disappears changes the answers.",
    ),
)

FACTS: tuple[Fact, ...] = tuple(
    Fact(
        key=f"governance.{key}",
        type=type_,
        brief=brief,
        why=why,
        severity="info",
        examples=examples,
        observe_with="the contract (modelspec.yaml) and its owner",
        milestone=2,
        stability="experimental",
        playbook="governance",
    )
    for key, type_, examples, brief, why in _ROWS
)
