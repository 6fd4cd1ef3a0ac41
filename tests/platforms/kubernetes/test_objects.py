from __future__ import annotations

import pytest

from tests.platforms.kubernetes.manifests import indexed


def test_dispatch_is_on_the_group_not_on_the_kind_alone():
    objects = indexed(
        "apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata: {name: a}\n---\n"
        "apiVersion: inference.llmkube.dev/v1\nkind: InferenceService\nmetadata: {name: b}\n"
    )
    assert [one.name for one in objects.of("serving.kserve.io", "InferenceService")] == ["a"]
    assert [one.name for one in objects.of("inference.llmkube.dev", "InferenceService")] == ["b"]
    assert objects.of("", "InferenceService") == ()


def test_lists_are_flattened_and_typed_lists_lend_their_items_kind_and_version():
    objects = indexed(
        "apiVersion: v1\nkind: List\nitems:\n"
        "- {apiVersion: v1, kind: ConfigMap, metadata: {name: one}}\n"
        "- apiVersion: v1\n  kind: List\n  items:\n  - {apiVersion: v1, kind: ConfigMap, metadata: {name: two}}\n---\n"
        "apiVersion: apps/v1\nkind: DeploymentList\nitems:\n- metadata: {name: three}\n"
    )
    assert [(one.group, one.kind, one.name) for one in objects] == [
        ("", "ConfigMap", "one"),
        ("", "ConfigMap", "two"),
        ("apps", "Deployment", "three"),
    ]


def test_locations_name_the_object_and_paths_start_in_it():
    objects = indexed(
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: apps/v1\n  kind: Deployment\n"
        "  metadata: {name: llm, namespace: prod}\n  spec: {replicas: 3}\n"
    )
    at = objects.of("apps", "Deployment")[0].node["spec"]["replicas"].location
    assert (at.object, at.path, at.line) == ("apps/v1 Deployment prod/llm", "spec.replicas", 7)


def test_a_manifest_without_a_namespace_meets_objects_of_any():
    objects = indexed(
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}\n---\n"
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: d, namespace: prod}}\n---\n"
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: d, namespace: dev}}\n"
    )
    plain = objects.get("", "ConfigMap", "prod", "c")
    assert plain is not None and not plain.namespace_declared and plain.namespace == "default"
    exact = objects.get("", "ConfigMap", "dev", "d")
    assert exact is not None and exact.namespace == "dev"
    assert objects.get("", "ConfigMap", "staging", "d") is None
    assert objects.get("", "ConfigMap", "default", "d", declared=False) is not None


def test_of_several_objects_of_a_name_the_one_nearest_to_the_source_is_meant():
    from askew.platforms.kubernetes.objects import index
    from tests.platforms.kubernetes.manifests import documents

    text = "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {k: v}}"
    objects = index([*documents(text, "envs/dev/c.yaml"), *documents(text, "envs/prod/c.yaml")])
    found = objects.get("", "ConfigMap", "default", "c", declared=False, source="envs/prod/deploy.yaml")
    assert found is not None and found.source == "envs/prod/c.yaml"


def test_cluster_scoped_kinds_are_found_from_every_namespace():
    objects = indexed("{apiVersion: serving.kserve.io/v1alpha1, kind: ClusterServingRuntime, metadata: {name: r}}")
    found = objects.get("serving.kserve.io", "ClusterServingRuntime", "prod", "r")
    assert found is not None and found.namespace == "" and found.label.endswith("ClusterServingRuntime r")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("resources: [a.yaml]\npatches: []\n", "kustomization"),
        ("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n", "kustomization"),
        ("replicaCount: 2\nimage: {tag: x}\n", "Helm values"),
        ("apiVersion: v2\nname: chart\nappVersion: '1'\n", "Chart.yaml"),
        ("services: {llm: {image: x}}\n", "compose"),
        ("apiVersion: argoproj.io/v1alpha1\nkind: Application\n", "Argo CD"),
        ("a: 1\n", "neither apiVersion nor kind"),
        ("kind: Deployment\n", "no apiVersion"),
        ("apiVersion: apps/v1\n", "no kind"),
        ("apiVersion: apps/v1\nkind: [x]\n", "non-empty text"),
        ("- a\n- b\n", "a list"),
        ("just text\n", "a single value"),
    ],
)
def test_what_is_no_object_is_refused_with_its_reason(text, reason):
    objects = indexed(text)
    assert len(objects) == 0
    assert [reason in refused.reason for refused in objects.refused] == [True], objects.refused


def test_empty_documents_are_nothing_and_nested_lists_end():
    assert indexed("---\n---\n").refused == ()
    text = "{apiVersion: v1, kind: List, items: [" * 30 + "]}" * 30
    assert len(indexed(text)) == 0


BROKEN = ("x", "[1]", "{name: 5}", "{name: {}}", "{labels: [a]}", "{ownerReferences: 3}", "null")


@pytest.mark.parametrize("metadata", BROKEN)
def test_broken_metadata_never_raises(metadata):
    for one in indexed(f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {metadata}\n"):
        assert one.name in ("", "5", "{}") and one.labels == {} and one.owners == ()
