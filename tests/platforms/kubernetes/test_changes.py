"""ConfigMaps that changed after the processes that read them had started: by what their managed fields show."""

from __future__ import annotations

from typing import Any

import pytest

from askew.resolve.observation import Observation
from tests.platforms.kubernetes import live
from tests.platforms.kubernetes.manifests import one

BEFORE, STARTED, AFTER = "2026-01-02T09:00:00Z", "2026-01-02T10:00:00Z", "2026-01-02T11:00:00Z"
MADE = "2026-01-01T00:00:00Z"
APPLIED: live.Object = {"f:annotations": {".": {}, "f:kubectl.kubernetes.io/last-applied-configuration": {}}}
ENV: live.Object = {
    "env": [{"name": "LEN", "valueFrom": {"configMapKeyRef": {"name": "cfg", "key": "LEN"}}}],
    "args": ["--max-model-len=$(LEN)"],
}
FROM: live.Object = {"envFrom": [{"configMapRef": {"name": "cfg"}}]}
VOLUME: live.Object = {"volumes": [{"name": "v", "configMap": {"name": "cfg"}}]}
DIRECTORY: live.Object = {"volumeMounts": [{"name": "v", "mountPath": "/etc/engine"}]}
FILE: live.Object = {"volumeMounts": [{"name": "v", "mountPath": "/etc/engine.yaml", "subPath": "LEN"}]}


def edit(at: str, **fields: Any) -> live.Object:
    return {"manager": "m", "operation": "Update", "time": at, "fieldsV1": fields}


def data(*keys: str) -> live.Object:
    return {"f:data": {f"f:{key}": {} for key in keys}}


def config(*edits: live.Object, kind: str = "ConfigMap", **fields: Any) -> live.Object:
    metadata = {"name": "cfg", "namespace": "prod", "uid": "c", "creationTimestamp": MADE, "managedFields": list(edits)}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, "data": {"LEN": "8192", "OTHER": "x"}, **fields}


def changed(use: live.Object, *objects: live.Object, volumes: live.Object | None = None) -> list[Observation]:
    deployed = live.deployment(**use)
    deployed["spec"]["template"]["spec"] |= volumes or {}
    pods = [live.pod(f"llm-aaa-{n}", spec=volumes, **use) for n in range(2)]
    found = one(live.dump(deployed, *pods, *objects))
    return [o for o in found.containers[0].observations if o.fact == "orchestration.config.changed_after_start"]


@pytest.mark.parametrize(
    ("use", "volumes", "confidence"),
    [(ENV, None, "likely"), (FROM, None, "likely"), (FILE, VOLUME, "likely"), (DIRECTORY, VOLUME, "possible")],
)
def test_edited_after_the_pods_had_started(use: live.Object, volumes: live.Object | None, confidence: str) -> None:
    (found,) = changed(use, config(edit(MADE, **data("LEN", "OTHER")), edit(AFTER, **data("LEN"))), volumes=volumes)
    assert (found.key, found.value, found.confidence) == ("ConfigMap cfg", AFTER, confidence)
    assert found.because[0] == f"ConfigMap cfg changed at {AFTER}, after the pods had started"
    assert found.locations[0].object == "v1 ConfigMap prod/cfg"
    assert found.locations[0].path == "metadata.managedFields[1].time"
    assert found.locations[1].object == "v1 Pod prod/llm-aaa-0"


def test_kubectl_apply_notes_what_it_applied_beside_the_data() -> None:
    (found,) = changed(ENV, config(edit(AFTER, **data("LEN"), **{"f:metadata": APPLIED})))
    assert found.confidence == "likely"


def test_labels_in_the_same_write_leave_it_open_what_changed() -> None:
    (found,) = changed(ENV, config(edit(AFTER, **data("LEN"), **{"f:metadata": {"f:labels": {"f:chart": {}}}})))
    assert found.confidence == "possible"


def test_an_object_made_anew_may_say_the_same() -> None:
    again = config(edit(AFTER, **data("LEN")))
    again["metadata"]["creationTimestamp"] = AFTER
    (found,) = changed(ENV, again)
    assert found.confidence == "possible"
    untold = config()
    untold["metadata"]["creationTimestamp"] = AFTER
    (found,) = changed(ENV, untold)
    assert (found.confidence, found.locations[0].path) == ("possible", "metadata.creationTimestamp")


@pytest.mark.parametrize(
    "fine",
    [
        config(edit(BEFORE, **data("LEN"))),
        config(edit(STARTED, **data("LEN"))),
        config(edit(MADE, **data("LEN")), edit(AFTER, **{"f:metadata": {"f:labels": {}}})),
        config(edit(MADE, **data("LEN")), edit(AFTER, **data("OTHER"))),
        config(edit(AFTER, **data("LEN")), immutable=True),
        config(),
    ],
)
def test_what_the_variable_does_not_come_from_is_no_change_of_it(fine: live.Object) -> None:
    assert changed(ENV, fine) == []


def test_secrets_that_are_mounted_are_read_again_by_those_who_care() -> None:
    volumes = {"volumes": [{"name": "v", "secret": {"secretName": "cfg"}}]}
    secret = config(edit(AFTER, **data("LEN")), kind="Secret")
    assert changed(DIRECTORY, secret, volumes=volumes) == []
    assert [found.key for found in changed(FILE, secret, volumes=volumes)] == ["Secret cfg"]


def test_what_admission_mounts_is_not_the_users() -> None:
    volumes = {
        "volumes": [{"name": "kube-api-access-x7k2p", "projected": {"sources": [{"configMap": {"name": "cfg"}}]}}]
    }
    mount = {
        "volumeMounts": [
            {"name": "kube-api-access-x7k2p", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
        ]
    }
    assert changed(mount, config(edit(AFTER, **data("LEN"))), volumes=volumes) == []


def test_a_variable_of_before_is_not_what_the_object_says_now() -> None:
    found = one(live.dump(live.deployment(**ENV), live.pod("llm-aaa-0", **ENV), config(edit(AFTER, **data("LEN")))))
    (word,) = found.containers[0].launch.argv
    assert word.unknown is not None and "after the pods had started" in word.unknown
    restarted = {"state": {"running": {"startedAt": "2026-01-02T12:00:00Z"}}}
    pods = live.pod("llm-aaa-0", reported=restarted, **ENV)
    found = one(live.dump(live.deployment(**ENV), pods, config(edit(AFTER, **data("LEN")))))
    assert found.containers[0].launch.argv[0].text == "--max-model-len=8192"


def test_one_of_two_pods_started_before() -> None:
    late = {"state": {"running": {"startedAt": "2026-01-02T12:00:00Z"}}}
    pods = (live.pod("llm-aaa-0", **ENV), live.pod("llm-aaa-1", reported=late, **ENV))
    found = one(live.dump(live.deployment(**ENV), *pods, config(edit(AFTER, **data("LEN")))))
    (said,) = (o for o in found.containers[0].observations if o.fact == "orchestration.config.changed_after_start")
    assert said.because[0].endswith("after 1 of 2 pods had started")
