"""Objects of a cluster that are not as they should be: read without an exception, whatever stands in a field."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from askew.app.snapshots import snapshots
from askew.collectors.interface import Text
from askew.evidence.document import Context, Document, Node
from askew.platforms.cluster.read import read
from tests.platforms.kubernetes import live

SOURCE = "k8s://ctx"
JUNK: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    10**30,
    1.5,
    "",
    "x",
    "2026",
    [],
    {},
    [[]],
    [None],
    [{}],
    {"": None},
    ["a", 1],
)


def thing(version: str, kind: str, **fields: object) -> live.Object:
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": "llm", "namespace": "prod", "uid": kind},
        **fields,
    }


ENV: live.Object = {
    "envFrom": [{"configMapRef": {"name": "llm"}}],
    "resources": {"claims": [{"name": "g"}], "limits": {"nvidia.com/gpu": 1}},
}
OBJECTS: list[live.Object] = [
    live.deployment(**ENV),
    live.replica_set(),
    live.pod("llm-aaa-0", spec={"resourceClaims": [{"name": "g", "resourceClaimName": "llm"}]}, **ENV),
    live.pod("llm-bbb-0", "bbb", reported={"lastState": {"terminated": {"exitCode": 1, "finishedAt": "2026"}}}, **ENV),
    live.pod("lone-0", owned=live.owner("apps/v1", "StatefulSet", "lone")),
    live.pod("lone-1", owned=live.owner("apps/v1", "StatefulSet", "lone")),
    live.node("n1", **{"nvidia.com__gpu.memory": "81559"}),
    thing(
        "v1", "ConfigMap", data={"LEN": "1"},
    ),
    thing(
        "autoscaling/v2", "HorizontalPodAutoscaler",
        spec={"scaleTargetRef": {"kind": "Deployment", "name": "llm"}, "maxReplicas": 3},
        status={"conditions": [{"type": "ScalingActive", "status": "False", "reason": "R", "message": "m"}],
                "currentMetrics": [{"type": "Pods", "pods": {"metric": {"name": "q"}, "current": {"value": "1"}}}]},
    ),
    thing("keda.sh/v1alpha1", "ScaledObject", spec={"scaleTargetRef": {"name": "llm"}}, status={"hpaName": "llm"}),
    thing("v1", "Event", type="Warning", reason="R", message="m", involvedObject={"kind": "Deployment", "name": "llm"}),
    thing("argoproj.io/v1alpha1", "Application", spec={"source": {}}, status={"resources": [{"kind": "Deployment"}]}),
    thing("resource.k8s.io/v1", "ResourceClaim", status={"allocation": {"devices": {"results": [{"device": "d"}]}}}),
    thing("resource.k8s.io/v1", "ResourceSlice", spec={"devices": [{"name": "d", "attributes": {}}]}),
]  # fmt: skip
OBJECTS[7]["metadata"]["managedFields"] = [{"time": "2026-01-02T11:00:00Z", "fieldsV1": {"f:data": {"f:LEN": {}}}}]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place below the top of an object."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, part in inner for found in ((*path, key), *places(part, (*path, key)))]


PLACES = [(number, *path) for number, one in enumerate(OBJECTS) for path in places(one)]


def documents(objects: list[live.Object]) -> list[Document]:
    contexts = [(Context(SOURCE), one) for one in objects]
    return [Document(context, 0, Node(context, one), (), 0, 0) for context, one in contexts]


@settings(max_examples=400, deadline=None)
@given(changes=st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from(JUNK)), min_size=1, max_size=4))
def test_junk_in_any_field_is_no_exception(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    objects = copy.deepcopy(OBJECTS)
    for path, junk in changes:
        inside: Any = objects
        try:
            for step in path[:-1]:
                inside = inside[step]
            if isinstance(inside, dict) is isinstance(path[-1], str):  # JSON has no other keys
                inside[path[-1]] = junk
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    denied = Text(source=f"{SOURCE}#denied", text="list nodes\nlist pods prod\n")
    for workload in read(documents(objects), (denied,)).workloads:
        snapshots(workload)
