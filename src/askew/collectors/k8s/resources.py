"""What is read of a cluster, as data: the kinds, what each is for, and what a user needs to be allowed to read them.

The ClusterRole in the documentation is written from this table, so that it allows what is read and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

import msgspec

# workload  runs a model, or is what somebody wrote to run one
# owned     what controllers make of workloads: revisions and pods
# around    what requests, scaling and disruption of a workload depend on, in its namespace
# parts     what workloads name: read only where one does
# cluster   is in no namespace
# pointer   says where the intended state is kept
Role: TypeAlias = Literal["workload", "owned", "around", "parts", "cluster", "pointer"]


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """One kind. ``versions`` are those whose fields the readers know, best first; ``short`` are kubectl's short names.

    ``deep``: of a list only some fields are decoded, since there are many and they are large. ``asked``: read only
    where the source names an object of it, not in every namespace.
    """

    group: str
    name: str
    kind: str
    versions: tuple[str, ...]
    role: Role
    why: str
    short: tuple[str, ...] = ()
    namespaced: bool = True
    deep: bool = False
    asked: bool = False

    @property
    def title(self) -> str:
        """``deployments.apps``, as RBAC and kubectl name it."""
        return f"{self.name}.{self.group}" if self.group else self.name


def _rows(
    role: Role, why: str, group: str, versions: str, *kinds: str, namespaced: bool = True, asked: bool = False
) -> Iterator[Resource]:
    """``kinds`` are written ``Kind/resource`` or ``Kind/resource/short,names``."""
    for each in kinds:
        kind, name, short, *_ = (*each.split("/"), "")
        yield Resource(
            group=group,
            name=name,
            kind=kind,
            versions=tuple(versions.split()),
            role=role,
            why=why,
            short=tuple(part for part in short.split(",") if part),
            namespaced=namespaced,
            deep=(group, kind) in (("", "Pod"), ("", "Node")),
            asked=asked,
        )


_MODEL = "what serves a model"
_RUNTIME = "the runtime or the model that an object names"
_ROUTE = "the way of a request, with its timeouts, retries and limits"

RESOURCES: tuple[Resource, ...] = (
    *_rows(
        "workload",
        _MODEL,
        "apps",
        "v1",
        *("Deployment/deployments/deploy", "StatefulSet/statefulsets/sts", "DaemonSet/daemonsets/ds"),
    ),
    *_rows("workload", _MODEL, "batch", "v1", "Job/jobs", "CronJob/cronjobs/cj"),
    *_rows("workload", _MODEL, "", "v1", "ReplicationController/replicationcontrollers/rc"),
    *_rows("workload", _MODEL, "serving.kserve.io", "v1beta1", "InferenceService/inferenceservices/isvc"),
    *_rows(
        "workload",
        _MODEL,
        "serving.kserve.io",
        "v1alpha2 v1alpha1",
        "LLMInferenceService/llminferenceservices/llmisvc",
    ),
    *_rows(
        "around",
        _RUNTIME,
        "serving.kserve.io",
        "v1alpha2 v1alpha1",
        "LLMInferenceServiceConfig/llminferenceserviceconfigs",
    ),
    *_rows("around", _RUNTIME, "serving.kserve.io", "v1alpha1", "ServingRuntime/servingruntimes"),
    *_rows(
        "cluster",
        _RUNTIME,
        "serving.kserve.io",
        "v1alpha1",
        "ClusterServingRuntime/clusterservingruntimes",
        namespaced=False,
    ),
    *_rows("workload", _MODEL, "serving.knative.dev", "v1", "Service/services/ksvc", "Revision/revisions/rev"),
    *_rows(
        "workload",
        _MODEL,
        "ray.io",
        "v1 v1alpha1",
        "RayService/rayservices",
        "RayCluster/rayclusters",
        "RayJob/rayjobs",
    ),
    *_rows("workload", _MODEL, "leaderworkerset.x-k8s.io", "v1", "LeaderWorkerSet/leaderworkersets/lws"),
    *_rows("workload", _MODEL, "kubeai.org", "v1", "Model/models"),
    *_rows("workload", _MODEL, "apps.nvidia.com", "v1alpha1", "NIMService/nimservices", "NIMPipeline/nimpipelines"),
    *_rows("workload", _MODEL, "workloads.x-k8s.io", "v1alpha2 v1alpha1", "RoleBasedGroup/rolebasedgroups/rbg"),
    *_rows("workload", _MODEL, "inference.llmkube.dev", "v1alpha1", "InferenceService/inferenceservices"),
    *_rows("around", _RUNTIME, "inference.llmkube.dev", "v1alpha1", "Model/models"),
    *_rows("workload", _MODEL, "ome.io", "v1beta1", "InferenceService/inferenceservices"),
    *_rows("around", _RUNTIME, "ome.io", "v1beta1", "ServingRuntime/servingruntimes"),
    *_rows("cluster", _RUNTIME, "ome.io", "v1beta1", "ClusterServingRuntime/clusterservingruntimes", namespaced=False),
    *_rows("workload", _MODEL, "machinelearning.seldon.io", "v1", "SeldonDeployment/seldondeployments/sdep"),
    *_rows("workload", _MODEL, "argoproj.io", "v1alpha1", "Rollout/rollouts/ro"),
    *_rows("workload", _MODEL, "apps.kruise.io", "v1alpha1", "CloneSet/clonesets/clone"),
    *_rows("workload", _MODEL, "nvidia.com", "v1beta1 v1alpha1", "DynamoGraphDeployment/dynamographdeployments/dgd"),
    *_rows(
        "owned",
        "which pods are of which revision, and what former revisions were",
        "apps",
        "v1",
        "ReplicaSet/replicasets/rs",
    ),
    *_rows(
        "owned",
        "what former revisions of StatefulSets and DaemonSets were",
        "apps",
        "v1",
        "ControllerRevision/controllerrevisions",
    ),
    *_rows("owned", "what really runs: images, restarts, nodes, readiness", "", "v1", "Pod/pods/po"),
    *_rows("around", "which ports and names lead to a workload", "", "v1", "Service/services/svc"),
    *_rows(
        "around",
        "how replicas are scaled",
        "autoscaling",
        "v2 v2beta2 v1",
        "HorizontalPodAutoscaler/horizontalpodautoscalers/hpa",
    ),
    *_rows("around", "how replicas are scaled", "keda.sh", "v1alpha1", "ScaledObject/scaledobjects/so"),
    *_rows(
        "around",
        "how many replicas may be down at once",
        "policy",
        "v1 v1beta1",
        "PodDisruptionBudget/poddisruptionbudgets/pdb",
    ),
    *_rows("around", _ROUTE, "networking.k8s.io", "v1", "Ingress/ingresses/ing"),
    *_rows("cluster", _ROUTE, "networking.k8s.io", "v1", "IngressClass/ingressclasses", namespaced=False),
    *_rows("around", _ROUTE, "route.openshift.io", "v1", "Route/routes"),
    *_rows(
        "around",
        _ROUTE,
        "gateway.networking.k8s.io",
        "v1 v1beta1",
        "HTTPRoute/httproutes",
        "GRPCRoute/grpcroutes",
        "Gateway/gateways/gtw",
    ),
    *_rows(
        "cluster", _ROUTE, "gateway.networking.k8s.io", "v1 v1beta1", "GatewayClass/gatewayclasses/gc", namespaced=False
    ),
    *_rows("around", _ROUTE, "inference.networking.k8s.io", "v1", "InferencePool/inferencepools"),
    *_rows("around", _ROUTE, "inference.networking.x-k8s.io", "v1alpha2", "InferencePool/inferencepools"),
    *_rows(
        "around",
        _ROUTE,
        "networking.istio.io",
        "v1 v1beta1 v1alpha3",
        "VirtualService/virtualservices/vs",
        "DestinationRule/destinationrules/dr",
    ),
    *_rows(
        "around",
        _ROUTE,
        "gateway.envoyproxy.io",
        "v1alpha1",
        "BackendTrafficPolicy/backendtrafficpolicies",
        "ClientTrafficPolicy/clienttrafficpolicies",
    ),
    *_rows("around", _ROUTE, "networking.gke.io", "v1", "GCPBackendPolicy/gcpbackendpolicies"),
    *_rows("around", _ROUTE, "cloud.google.com", "v1", "BackendConfig/backendconfigs"),
    *_rows(
        "around",
        _ROUTE,
        "gateway.kgateway.dev",
        "v1alpha1",
        "BackendConfigPolicy/backendconfigpolicies",
        "TrafficPolicy/trafficpolicies",
    ),
    *_rows(
        "around",
        _ROUTE,
        "traefik.io",
        "v1alpha1",
        "IngressRoute/ingressroutes",
        "Middleware/middlewares",
        "ServersTransport/serverstransports",
    ),
    *_rows("around", _ROUTE, "traefik.containo.us", "v1alpha1", "IngressRoute/ingressroutes", "Middleware/middlewares"),
    *_rows(
        "around",
        "the devices that pods claim",
        "resource.k8s.io",
        "v1 v1beta2 v1beta1",
        "ResourceClaim/resourceclaims",
        "ResourceClaimTemplate/resourceclaimtemplates",
    ),
    *_rows(
        "cluster",
        "the devices that pods claim",
        "resource.k8s.io",
        "v1 v1beta2 v1beta1",
        "DeviceClass/deviceclasses",
        "ResourceSlice/resourceslices",
        namespaced=False,
    ),
    *_rows("around", "what went wrong lately: only warnings", "", "v1", "Event/events/ev"),
    *_rows("parts", "what workloads read as files and variables", "", "v1", "ConfigMap/configmaps/cm"),
    *_rows("parts", "whether a key changed: digests under a random key, never values", "", "v1", "Secret/secrets"),
    *_rows("parts", "where model files lie", "", "v1", "PersistentVolumeClaim/persistentvolumeclaims/pvc"),
    *_rows("cluster", "GPUs, drivers, labels and taints of the machines", "", "v1", "Node/nodes/no", namespaced=False),
    *_rows(
        "cluster",
        "which pods give way to which",
        "scheduling.k8s.io",
        "v1",
        "PriorityClass/priorityclasses/pc",
        namespaced=False,
    ),
    *_rows("pointer", "where the intended state is kept", "argoproj.io", "v1alpha1", "Application/applications/app"),
    *_rows(
        "pointer",
        "where the intended state is kept",
        "helm.toolkit.fluxcd.io",
        "v2 v2beta2",
        "HelmRelease/helmreleases/hr",
    ),
    *_rows(
        "pointer",
        "where the intended state is kept",
        "kustomize.toolkit.fluxcd.io",
        "v1 v1beta2",
        "Kustomization/kustomizations/ks",
    ),
)


def by_kind(group: str, kind: str) -> Resource | None:
    """The row of a kind, or None."""
    return next((one for one in RESOURCES if one.group == group and one.kind == kind), None)


def of_role(*roles: Role) -> tuple[Resource, ...]:
    """The rows of some roles, in the order of the table."""
    return tuple(one for one in RESOURCES if one.role in roles)
