"""Kubernetes objects as they were found, and an index to find them by.

Dispatch is on API group and kind: several projects have a kind ``InferenceService`` or ``Model``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

import msgspec

from askew.evidence.document import Document, Node
from askew.evidence.location import Location

_T = TypeVar("_T")

DEFAULT_NAMESPACE = "default"

# A list inside a list is legal nonsense; nobody writes more than two levels.
_MAX_LIST_DEPTH = 8

CLUSTER_SCOPED = frozenset(
    {
        ("", "Node"),
        ("", "Namespace"),
        ("", "PersistentVolume"),
        ("storage.k8s.io", "StorageClass"),
        ("scheduling.k8s.io", "PriorityClass"),
        ("node.k8s.io", "RuntimeClass"),
        ("networking.k8s.io", "IngressClass"),
        ("gateway.networking.k8s.io", "GatewayClass"),
        ("serving.kserve.io", "ClusterServingRuntime"),
        ("serving.kserve.io", "ClusterStorageContainer"),
        ("karpenter.sh", "NodePool"),
        ("resource.k8s.io", "DeviceClass"),
        ("resource.k8s.io", "ResourceSlice"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
    }
)


class Object(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One Kubernetes object.

    ``namespace`` is the declared one, else ``default`` (empty for cluster-scoped kinds); ``namespace_declared`` tells
    which: a manifest without a namespace goes wherever it is applied. ``name`` is ``metadata.name`` or, without one,
    ``generateName``. ``labels`` and ``annotations`` hold the entries that are text. The locations of ``node`` and of
    everything below it name the object.
    """

    node: Node
    group: str
    version: str
    kind: str
    name: str
    namespace: str
    namespace_declared: bool
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    source: str

    @property
    def location(self) -> Location:
        return self.node.location

    @property
    def label(self) -> str:
        """``apps/v1 Deployment prod/llm``."""
        return _label(self.group, self.version, self.kind, self.namespace if self.namespace_declared else "", self.name)

    @property
    def live(self) -> bool:
        """Whether it was read from a cluster: the API server gives every object an identity."""
        return bool(_mapping(_mapping(self.node.value).get("metadata")).get("uid"))

    @property
    def owners(self) -> tuple[tuple[str, str, str], ...]:
        """(group, kind, name) of the objects that own this one (``metadata.ownerReferences``)."""
        return tuple(
            (str(owner.get("apiVersion", "")).rpartition("/")[0], str(owner.get("kind")), str(owner.get("name")))
            for owner in _list(_mapping(_mapping(self.node.value).get("metadata")).get("ownerReferences"))
            if isinstance(owner, Mapping)
        )


class Refused(msgspec.Struct, frozen=True):
    """A document that holds no Kubernetes object, and why."""

    location: Location
    reason: str


class Denied(msgspec.Struct, frozen=True):
    """What a cluster refused: a verb, a kind of object as RBAC names it (``horizontalpodautoscalers.autoscaling``), and
    the namespace; empty for all of them."""

    verb: str
    title: str
    namespace: str = ""


class Objects:
    """All objects of one source, findable by API group, kind and name. ``denied`` is what was refused to its reader."""

    def __init__(
        self, objects: Iterable[Object], refused: Iterable[Refused] = (), denied: Iterable[Denied] = ()
    ) -> None:
        self._all = tuple(objects)
        self.refused = tuple(refused)
        self.denied = tuple(denied)
        self._once: dict[str, object] = {}
        self._by_kind: dict[tuple[str, str], list[Object]] = {}
        self._by_name: dict[tuple[str, str, str], list[Object]] = {}
        # By declared namespace, with the order found; what declares none may be in any: it stands under the empty name.
        self._by_home: dict[tuple[str, str, str], list[tuple[int, Object]]] = {}
        for position, one in enumerate(self._all):
            home = one.namespace if one.namespace_declared else ""
            self._by_home.setdefault((one.group, one.kind, home), []).append((position, one))
            self._by_kind.setdefault((one.group, one.kind), []).append(one)
            self._by_name.setdefault((one.group, one.kind, one.name), []).append(one)

    def __iter__(self) -> Iterator[Object]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def of(self, group: str, kind: str) -> tuple[Object, ...]:
        """Every object of a kind, in the order found; ``group`` is empty for the core kinds."""
        return tuple(self._by_kind.get((group, kind), ()))

    def once(self, name: str, make: Callable[[Objects], _T]) -> _T:
        """What ``make`` gives for these objects, made at the first call: a join runs for every workload."""
        if name not in self._once:
            self._once[name] = make(self)
        return self._once[name]  # type: ignore[return-value]  # each name has one maker

    def get(
        self, group: str, kind: str, namespace: str, name: str, *, declared: bool = True, source: str = ""
    ) -> Object | None:
        """The object of that name, or None.

        The exact namespace first; then the same name where either side declared no namespace (``declared`` says
        whether the caller's was). Of several, the one whose source is nearest to ``source`` (longest common path).
        """
        found = self._by_name.get((group, kind, name))
        if not found:
            return None
        fitting = [one for one in found if one.namespace == namespace and one.namespace_declared == declared]
        fitting = fitting or [one for one in found if one.namespace == namespace or not one.namespace]
        fitting = fitting or [one for one in found if not declared or not one.namespace_declared]
        return _nearest(fitting, source)

    def refusal(self, title: str, namespace: str = "") -> str:
        """Why objects of a kind could not be read in a namespace, with the right that is missing; empty where nothing
        was refused."""
        for one in self.denied:
            if one.title == title and (not one.namespace or not namespace or one.namespace == namespace):
                where = f" in {one.namespace}" if one.namespace else ""
                return f"{title.partition('.')[0]} could not be read: needs `{one.verb} {title}`{where}"
        return ""

    def near(self, origin: Object, group: str, kind: str, name: str) -> Object | None:
        """The object of that name which ``origin`` means: in its namespace, nearest to its source."""
        return self.get(group, kind, origin.namespace, name, declared=origin.namespace_declared, source=origin.source)

    def beside(self, origin: Object, group: str, kind: str) -> tuple[Object, ...]:
        """Every object of a kind that can share a namespace with ``origin``."""
        if not (origin.namespace_declared and origin.namespace):
            return self.of(group, kind)
        here, anywhere = (self._by_home.get((group, kind, home), []) for home in (origin.namespace, ""))
        return tuple(one for _, one in (sorted((*here, *anywhere), key=_position) if anywhere else here))


def _position(found: tuple[int, Object]) -> int:
    return found[0]


def may_share_namespace(one: Object, other: Object) -> bool:
    """Whether two objects are, or may be, in one namespace: the same, or one of them declares none."""
    return (
        one.namespace == other.namespace
        or not one.namespace
        or not other.namespace
        or not (one.namespace_declared and other.namespace_declared)
    )


def index(documents: Iterable[Document], denied: Iterable[Denied] = ()) -> Objects:
    """The objects in ``documents``, ``List`` kinds flattened; what is no Kubernetes object is in ``refused``."""
    found: list[Object] = []
    refused: list[Refused] = []
    for document in documents:
        _collect(document.root, found, refused, 0)
    return Objects(found, refused, denied)


def _collect(node: Node, found: list[Object], refused: list[Refused], depth: int) -> None:
    value = node.value
    if value is None:
        return  # an empty document between two separators
    if not isinstance(value, Mapping):
        refused.append(Refused(node.location, _no_mapping(value)))
        return
    api_version, kind = value.get("apiVersion"), value.get("kind")
    if not (isinstance(api_version, str) and isinstance(kind, str) and api_version and kind):
        refused.append(Refused(node.location, _no_object(value, api_version, kind)))
        return
    group, _, version = api_version.rpartition("/")
    if kind == "List" or (kind.endswith("List") and isinstance(value.get("items"), list) and "spec" not in value):
        if depth < _MAX_LIST_DEPTH:
            for item in node["items"].each():
                item_value = item.value
                if kind != "List" and isinstance(item_value, dict) and "kind" not in item_value:
                    # The API server leaves apiVersion and kind out of the items of a typed list.
                    _object(item, group, version, kind[: -len("List")], found)
                else:
                    _collect(item, found, refused, depth + 1)
        return
    if reason := _no_workload_source(group, kind):
        # In a cluster they tell where the intended state of what is beside them is kept.
        live = bool(_mapping(value.get("metadata")).get("uid"))
        if not live:
            refused.append(Refused(node.location, reason))
        if group.startswith("kustomize.config") or not live:
            return
    _object(node, group, version, kind, found)


def _object(node: Node, group: str, version: str, kind: str, found: list[Object]) -> None:
    metadata = _mapping(_mapping(node.value).get("metadata"))
    name = metadata.get("name") or metadata.get("generateName")
    namespace = metadata.get("namespace")
    declared = isinstance(namespace, str) and bool(namespace)
    scoped = (group, kind) not in CLUSTER_SCOPED
    name = name if isinstance(name, str) else "" if name is None else str(name)
    namespace = str(namespace) if declared and scoped else DEFAULT_NAMESPACE if scoped else ""
    label = _label(group, version, kind, namespace if declared else "", name)
    found.append(
        Object(
            node=node.with_object(label),
            group=group,
            version=version,
            kind=kind,
            name=name,
            namespace=namespace,
            namespace_declared=declared or not scoped,
            labels=_texts(metadata.get("labels")),
            annotations=_texts(metadata.get("annotations")),
            source=node.location.source,
        )
    )


def _label(group: str, version: str, kind: str, namespace: str, name: str) -> str:
    api_version = f"{group}/{version}" if group else version
    return f"{api_version} {kind} {namespace}/{name}" if namespace else f"{api_version} {kind} {name}"


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _texts(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        return {}
    return {key: text for key, text in value.items() if isinstance(key, str) and isinstance(text, str)}


def _nearest(candidates: list[Object], source: str) -> Object | None:
    if not candidates:
        return None
    if len(candidates) == 1 or not source:
        return candidates[0]
    return max(candidates, key=lambda one: _common(one.source, source))


def _common(one: str, other: str) -> int:
    if one == other:
        return 1 << 20
    count = 0
    for left, right in zip(one.split("/"), other.split("/"), strict=False):
        if left != right:
            break
        count += 1
    return count


def _no_workload_source(group: str, kind: str) -> str:
    if group == "kustomize.config.k8s.io":
        return "a kustomization, not its objects; point at it as kustomize:<directory> to build it"
    if group == "argoproj.io" and kind in ("Application", "ApplicationSet"):
        return f"an Argo CD {kind}: its manifests are elsewhere; point at the path or chart it names"
    if group.endswith("toolkit.fluxcd.io") and kind in ("HelmRelease", "Kustomization"):
        return f"a Flux {kind}: its manifests are elsewhere; point at the chart or path it names"
    return ""


def _no_mapping(value: object) -> str:
    shape = "a list" if isinstance(value, list) else f"a single value ({type(value).__name__})"
    return f"{shape}, not a Kubernetes object; expected a mapping with apiVersion and kind"


def _no_object(value: Mapping[str, object], api_version: object, kind: object) -> str:
    if isinstance(api_version, str) and kind is None and ("appVersion" in value or "dependencies" in value):
        return "a Helm Chart.yaml; point at the chart as helm:<directory> to render it"
    if "resources" in value and isinstance(value["resources"], list) and api_version is None:
        return "a kustomization, not its objects; point at it as kustomize:<directory> to build it"
    if "services" in value and isinstance(value["services"], Mapping):
        return "a compose file, not a Kubernetes object"
    if "replicaCount" in value or "servingEngineSpec" in value or isinstance(value.get("image"), Mapping):
        return "looks like Helm values, not a Kubernetes object; point at the chart as helm:<chart>?values=<this file>"
    if api_version is None and kind is None:
        return "not a Kubernetes object: it has neither apiVersion nor kind"
    if api_version is None:
        return "not a Kubernetes object: it has no apiVersion"
    if kind is None:
        return "not a Kubernetes object: it has no kind"
    return "not a Kubernetes object: apiVersion and kind must be non-empty text"
