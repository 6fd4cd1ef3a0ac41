"""How objects belong together: who owns whom, who selects whom, what pods name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from askew.collectors.k8s.objects import Plain, list_at, mapping_at, owner_uids, text_at
from askew.evidence.document import Document

_MOST_GENERATIONS = 8


def plain_of(document: Document) -> Plain:
    """The object of a document."""
    value = document.root.value
    return value if isinstance(value, dict) else {}


def kind_of(document: Document) -> str:
    """The kind of a document's object."""
    return text_at(plain_of(document), "kind")


def group_of(document: Document) -> str:
    """The API group of a document's object."""
    return text_at(plain_of(document), "apiVersion").rpartition("/")[0]


def identity_of(one: Plain) -> tuple[str, str]:
    """Namespace and name of an object."""
    return text_at(one, "metadata", "namespace"), text_at(one, "metadata", "name")


def among(names: set[tuple[str, str]]) -> Callable[[Plain], bool]:
    """Whether an object has one of these names: namespace and name."""
    return lambda one: identity_of(one) in names


def named(names: set[str]) -> Callable[[Plain], bool]:
    """Whether an object has one of these names, in whatever namespace."""
    return lambda one: identity_of(one)[1] in names


def has_replicas(one: Plain) -> bool:
    """Whether a ReplicaSet has pods, or should have."""
    return bool(mapping_at(one, "spec").get("replicas")) or bool(mapping_at(one, "status").get("replicas"))


def is_of(pod: Plain, uid: str, name: str) -> bool:
    """Whether a pod is of a revision: its ReplicaSet owns it, or it has the name of its ControllerRevision as label."""
    labels = mapping_at(pod, "metadata", "labels")
    return uid in owner_uids(pod) or (
        bool(name) and name in (labels.get("controller-revision-hash"), labels.get("serving.knative.dev/revision"))
    )


def selector_of(workload: Plain) -> str:
    """The selector of a workload as a parameter; empty where it has none of the plain kind."""
    selector = mapping_at(workload, "spec", "selector")
    labels = mapping_at(selector, "matchLabels")
    parts = [f"{key}={value}" for key, value in sorted(labels.items()) if isinstance(value, str)]
    for each in list_at(selector, "matchExpressions"):
        key, operator = text_at(each, "key"), text_at(each, "operator")
        values = ",".join(value for value in list_at(each, "values") if isinstance(value, str))
        form = {
            "In": f"{key} in ({values})",
            "NotIn": f"{key} notin ({values})",
            "Exists": key,
            "DoesNotExist": f"!{key}",
        }
        if operator not in form:
            return ""
        parts.append(form[operator])
    return ",".join(parts)


def family_of(parents: Iterable[Document], others: Iterable[Document], *, standalone: bool = False) -> list[Document]:
    """Those of ``others`` that the parents own, directly or not; with ``standalone`` also what nobody owns."""
    known = {text_at(plain_of(one), "metadata", "uid") for one in parents} - {""}
    rest = [one for one in others if text_at(plain_of(one), "metadata", "uid") not in known or not known]
    found: list[Document] = []
    for _ in range(_MOST_GENERATIONS):
        left: list[Document] = []
        for one in rest:
            owners = owner_uids(plain_of(one))
            if known.intersection(owners) or (standalone and not owners):
                found.append(one)
                known.add(text_at(plain_of(one), "metadata", "uid"))
            else:
                left.append(one)
        if len(left) == len(rest):
            break
        rest = left
    if standalone:
        found.extend(rest)  # what is owned by kinds that are not read
    return found


def references_of(holders: Iterable[Document]) -> dict[str, set[tuple[str, str]]]:
    """Kind → namespace and name of what pods and pod templates name."""
    named: dict[str, set[tuple[str, str]]] = {"ConfigMap": set(), "Secret": set(), "PersistentVolumeClaim": set()}
    seen: set[tuple[str, int]] = set()
    for one in holders:
        plain = plain_of(one)
        namespace = text_at(plain, "metadata", "namespace")
        pending: list[object] = [plain.get("spec")]
        while pending:
            value = pending.pop()
            if not isinstance(value, (dict, list)) or (namespace, id(value)) in seen:
                continue
            seen.add((namespace, id(value)))
            if isinstance(value, list):
                pending.extend(value)
                continue
            pending.extend(value.values())
            for key, kind, field in _FIELDS:
                if name := text_at(value, key, field):
                    named[kind].add((namespace, name))
    return named


# Field, the kind that it names, and where the name stands in it.
_FIELDS = (
    ("configMap", "ConfigMap", "name"),
    ("configMapRef", "ConfigMap", "name"),
    ("configMapKeyRef", "ConfigMap", "name"),
    ("secret", "Secret", "secretName"),
    ("secret", "Secret", "name"),
    ("secretRef", "Secret", "name"),
    ("secretKeyRef", "Secret", "name"),
    ("persistentVolumeClaim", "PersistentVolumeClaim", "claimName"),
)


def pointers_of(one: Plain) -> Iterator[tuple[str, str, str]]:
    """Kind, namespace (empty where it is not told) and name of what deploys an object, by the marks that it leaves.

    https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/,
    https://fluxcd.io/flux/components/kustomize/kustomizations/, helm.sh/helm pkg/action/validate.go.
    """
    labels, annotations = (mapping_at(one, "metadata", where) for where in ("labels", "annotations"))
    application = text_at(annotations, "argocd.argoproj.io/tracking-id").partition(":")[0]
    if application:
        namespace, _, name = application.rpartition("_")  # NAMESPACE_NAME for applications in any namespace
        yield "Application", namespace, name
    for kind, prefix in (("HelmRelease", "helm"), ("Kustomization", "kustomize")):
        name, namespace = (text_at(labels, f"{prefix}.toolkit.fluxcd.io/{field}") for field in ("name", "namespace"))
        if name and namespace:
            yield kind, namespace, name
    name, namespace = (text_at(annotations, f"meta.helm.sh/release-{field}") for field in ("name", "namespace"))
    if name and namespace:
        yield "helm-release", namespace, name
