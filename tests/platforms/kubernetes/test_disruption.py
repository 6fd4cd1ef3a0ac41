from __future__ import annotations

import pytest

from tests.platforms.kubernetes.manifests import DEPLOYMENT, facts, one

BUDGET = """
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: llm, namespace: prod}
spec: {minAvailable: 50%%, selector: %s}
"""
KEY = "orchestration.disruption/min_available"


@pytest.mark.parametrize(
    ("selector", "meets"),
    [
        ("{matchLabels: {app: llm}}", True),
        ("{matchLabels: {app: web}}", False),
        ("{matchExpressions: [{key: app, operator: In, values: [llm, web]}]}", True),
        ("{matchExpressions: [{key: app, operator: NotIn, values: [llm]}]}", False),
        ("{matchExpressions: [{key: tier, operator: Exists}]}", True),
        ("{matchExpressions: [{key: tier, operator: DoesNotExist}]}", False),
        ("{matchExpressions: [{key: tier, operator: Like}]}", False),
        ("{}", True),
        ("null", False),
    ],
)
def test_a_budget_counts_where_its_selector_meets_the_pods(selector, meets):
    found = facts(one(DEPLOYMENT + BUDGET % selector))
    assert (found.get(KEY) == "50%") is meets
