"""A mapping that was read elsewhere than what surrounds it keeps its own place."""

from __future__ import annotations

from askew.evidence.document import Placed, wrap
from askew.evidence.location import Location


def test_locations_below_a_placed_mapping_begin_at_its_place() -> None:
    place = Location("k8s://c", path="spec.template", object="apps/v1 ReplicaSet prod/llm-1")
    live = {"spec": {"replicas": 2, "template": Placed({"spec": {"containers": [{"args": ["a"]}]}}, place)}}
    root = wrap(live, "k8s://c").with_object("apps/v1 Deployment prod/llm")
    argument = root.get("spec", "template", "spec", "containers", 0, "args", 0)
    assert argument.location == Location(
        "k8s://c", path="spec.template.spec.containers[0].args[0]", object="apps/v1 ReplicaSet prod/llm-1"
    )
    assert dict(root["spec"].items())["template"].location == place
    assert root["spec"]["replicas"].location.object == "apps/v1 Deployment prod/llm"
    assert str(argument.location) == "k8s://c ReplicaSet prod/llm-1 spec.template.spec.containers[0].args[0]"
