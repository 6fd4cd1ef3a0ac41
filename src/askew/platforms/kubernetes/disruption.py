"""How many pods a voluntary disruption may take away at once.

Source: https://kubernetes.io/docs/tasks/run-application/configure-pdb/
"""

from __future__ import annotations

from collections.abc import Sequence

from askew.evidence.document import Node
from askew.platforms.kubernetes.draft import Draft, Join
from askew.platforms.kubernetes.objects import Object, Objects
from askew.platforms.kubernetes.observe import Entry, observed_map, text_of
from askew.resolve.observation import Observation

_FIELDS = (
    ("minAvailable", "min_available"),
    ("maxUnavailable", "max_unavailable"),
    ("unhealthyPodEvictionPolicy", "unhealthy_pod_eviction"),
)


def budgets(draft: Draft, objects: Objects) -> Sequence[Observation]:
    """The PodDisruptionBudgets whose selector the pods meet. Kubernetes evicts no pod that has two."""
    found: list[Observation] = []
    for budget in sorted(objects.beside(draft.object, "policy", "PodDisruptionBudget"), key=_order):
        spec = budget.node["spec"]
        if not selects(spec["selector"], dict(draft.pod_labels), empty=budget.version != "v1beta1"):
            continue
        entries = {name: Entry(text_of(spec[field]), spec[field].location) for field, name in _FIELDS if spec[field]}
        if entries:
            found.extend(observed_map("orchestration.disruption", entries))
    return found


def selects(selector: Node, labels: dict[str, str], *, empty: bool) -> bool:
    """Whether a label selector (matchLabels and matchExpressions) meets ``labels``; ``empty`` is what an empty one
    means. A missing selector and an operator that Kubernetes does not have select nothing."""
    if not selector.is_mapping:
        return False
    if not selector["matchLabels"] and not selector["matchExpressions"]:
        return empty
    if any(labels.get(key) != value for key, value in selector["matchLabels"].string_map().items()):
        return False
    return all(_meets(expression, labels) for expression in selector["matchExpressions"].each())


def _meets(expression: Node, labels: dict[str, str]) -> bool:
    key, operator = text_of(expression["key"]), text_of(expression["operator"])
    values = {text_of(value) for value in expression["values"].each()}
    if operator == "In":
        return labels.get(key) in values
    if operator == "NotIn":
        return labels.get(key) not in values
    if operator == "Exists":
        return key in labels
    return operator == "DoesNotExist" and key not in labels


def _order(one: Object) -> tuple[str, str, str]:
    return (one.name, one.namespace, one.source)


JOINS: tuple[Join, ...] = (budgets,)
