"""What the contract says of people and data. Recorded and listed; it never affects the verdict."""

from __future__ import annotations

import msgspec

from askew.facts import kinds as k
from askew.facts.later import Row, later
from askew.facts.types import Fact

_SEE = "the contract (modelspec.yaml) and its owner"

_ROWS: tuple[Row, ...] = (
    (
        "owner",
        k.text,
        "info",
        _SEE,
        ("ml-platform",),
        "Who answers for the deployment.",
        "Without an owner nobody decides whether a deviation is meant.",
    ),
    (
        "change_approval",
        k.text,
        "info",
        _SEE,
        ("two reviewers",),
        "Who must agree to a change.",
        "Changes that skip it are the usual beginning of skew.",
    ),
    (
        "pii",
        k.boolean,
        "info",
        _SEE,
        (True, False),
        "Whether personal data passes through the model.",
        "It decides what may be logged and kept.",
    ),
    (
        "retention.logs",
        k.seconds,
        "info",
        _SEE,
        (2592000,),
        "How long logs are kept.",
        "Too short loses the evidence of an incident, too long keeps personal data.",
    ),
    (
        "retention.artifacts",
        k.seconds,
        "info",
        _SEE,
        (31536000,),
        "How long model artifacts are kept.",
        "A deleted artifact cannot be rolled back to.",
    ),
    (
        "cost_target",
        k.text,
        "info",
        _SEE,
        ("500 USD per day",),
        "What the deployment may cost.",
        "Idle or oversized GPUs exceed it unnoticed.",
    ),
    (
        "slo",
        k.mapping(),
        "info",
        _SEE,
        ({"availability": 0.999, "ttft_p95": 1.5},),
        "Service levels that were promised.",
        "A configuration that cannot meet them is skewed even if nothing changed.",
    ),
    (
        "observability",
        k.mapping(),
        "info",
        _SEE,
        ({"metrics": True, "tracing": False},),
        "Whether metrics, logs and traces are collected.",
        "Without them skew is noticed by users first.",
    ),
    (
        "dependencies",
        k.string_set,
        "info",
        _SEE,
        (["guardrail-service"],),
        "Other models and services the deployment needs.",
        "A dependency that changes or disappears changes the answers.",
    ),
)

FACTS: tuple[Fact, ...] = tuple(
    msgspec.structs.replace(fact, compared=False) for fact in later("governance", _ROWS, "governance")
)
