"""Facts about what keeps the model running: scaling, placement, probes, resources."""

from __future__ import annotations

from askew.facts import kinds as k
from askew.facts.later import Row, later
from askew.facts.types import Fact

_POD = "kubectl -n $NS get pod $POD -o yaml"
_WORKLOAD = "kubectl -n $NS get $KIND $NAME -o yaml"
_SCALER = "kubectl -n $NS get hpa,scaledobject -o yaml (leave out kinds the cluster lacks)"


def _field(path: str) -> str:
    return f"kubectl -n $NS get pod $POD -o jsonpath='{{{path}}}'"


_cores_pair = k.mapping(k.cores, record=True)
_bytes_pair = k.mapping(k.bytes_either, record=True)

probe = k.mapping(
    k.setting,
    {
        "type": k.enum("http", "tcp", "exec", "grpc", open_=True),
        "path": k.text,
        "port": k.setting,
        "command": k.text,
        "scheme": k.enum("http", "https"),
        "initial_delay": k.seconds,
        "period": k.seconds,
        "timeout": k.seconds,
        "success_threshold": k.count,
        "failure_threshold": k.count,
        "budget": k.seconds,
    },
    record=True,
)

# Mount path → what is mounted there. ``type`` is Kubernetes' name for the kind of volume (emptyDir, configMap).
volumes = k.mapping(
    k.mapping(
        k.setting,
        {
            "type": k.text,
            "source": k.text,
            "path": k.text,
            "sub_path": k.text,
            "medium": k.text,
            "size": k.bytes_,
            "read_only": k.boolean,
        },
        keyed=False,
    )
)

strategy = k.mapping(
    k.setting,
    {
        "type": k.enum("RollingUpdate", "Recreate", "OnDelete", open_=True, lower=False),
        "max_surge": k.setting,
        "max_unavailable": k.setting,
        "partition": k.count,
    },
    record=True,
)

metrics = k.list_of(
    k.item_of(source=k.text, name=k.text, query=k.text, target_type=k.text, target=k.setting),
)

_LATER: tuple[Row, ...] = (
    (
        "autoscaler.behaviour",
        k.mapping(k.data),
        "low",
        _SCALER,
        ({"scale_down_window": 300},),
        "Windows, cooldowns and steps of the autoscaler.",
        "GPU pods take minutes to start: a short window flaps, a long one holds idle GPUs.",
    ),
    (
        "autoscaler.missing_metrics",
        k.string_set,
        "high",
        "kubectl -n $NS describe hpa; curl -s $URL/metrics",
        (["vllm:gpu_cache_usage_perc"],),
        "Metrics that the autoscaler asks for and that this release of the engine does not emit.",
        "The query gives nothing: the replicas stay as they are, or fall back, however long the queue is.",
    ),
    (
        "autoscaler.status",
        k.mapping(k.data),
        "info",
        "kubectl -n $NS describe hpa",
        ({"reason": "FailedGetPodsMetric", "scaling_active": False},),
        "What the autoscaler says of itself: whether it can scale, why not, and the values it has of its signals.",
        "An autoscaler that gets no metric leaves the replicas as they are, however long the queue is.",
    ),
    (
        "prestop",
        k.seconds,
        "low",
        _field(".spec.containers[*].lifecycle"),
        (15,),
        "Time the pre-stop hook waits before the engine is told to stop.",
        "Without it, requests still arrive at a pod that no longer listens.",
    ),
    (
        "config.digest",
        k.digest,
        "info",
        "kubectl -n $NS get configmap -o yaml",
        ("sha256:" + "3d" * 32,),
        "Digest of the ConfigMaps and Secrets that the pod uses.",
        "The same manifest with other configuration runs something else.",
    ),
    (
        "config.changed_after_start",
        k.mapping(k.text),
        "info",
        "kubectl -n $NS get configmap $NAME -o yaml --show-managed-fields; kubectl -n $NS get pod $POD -o yaml",
        ({"ConfigMap llm-settings": "2026-01-02T10:00:00Z"},),
        "ConfigMaps and Secrets that were changed after the engine's process started, and when.",
        "The process has what they said before: the objects show settings that nothing runs with.",
    ),
    (
        "gitops",
        k.mapping(k.text),
        "info",
        "kubectl get applications.argoproj.io,kustomizations,helmreleases -A (leave out kinds the cluster lacks)",
        ({"path": "apps/llm", "repository": "https://git.example/llm", "revision": "4f0c2d1", "status": "Synced"},),
        "Where the intended state is kept, which revision of it is applied, and whether the cluster is at it.",
        "A cluster that is out of step with its repository runs what nobody reviewed, until the next synchronisation.",
    ),
    (
        "config.files",
        k.mapping(k.digest),
        "low",
        "kubectl -n $NS exec $POD -- sha256sum $FILE",
        ({"/etc/vllm/config.yaml": "sha256:" + "3d" * 32},),
        "Digests of the files of settings that the launch names, as the container has them.",
        "A file that was changed after the start, or differs between replicas, is another configuration under the same "
        "arguments.",
    ),
    (
        "rollout",
        k.mapping(),
        "low",
        "kubectl -n $NS rollout status $KIND/$NAME",
        ({"complete": True, "versions": 1},),
        "Whether one version is in service.",
        "A rollout that is stuck serves two versions at once: answers differ from request to request.",
    ),
    (
        "restarts",
        k.count,
        "low",
        "kubectl -n $NS get pods",
        (0, 7),
        "Restarts of the engine's container.",
        "Each restart loads the model again; capacity is missing meanwhile.",
    ),
    (
        "last_termination",
        k.mapping(),
        "low",
        _field(".status.containerStatuses[*].lastState"),
        ({"exit_code": 137, "reason": "OOMKilled"},),
        "How the engine's container last ended.",
        "The reason tells memory limits, failed probes and crashes apart.",
    ),
    (
        "disruption",
        k.mapping(),
        "low",
        "kubectl -n $NS get poddisruptionbudget",
        ({"min_available": 1},),
        "Disruption budget, spot nodes, consolidation.",
        "Without a budget a node upgrade may take all replicas at once.",
    ),
    (
        "warm_pool",
        k.mapping(),
        "low",
        "kubectl get nodes",
        ({"nodes": 1},),
        "Nodes or pods kept ready.",
        "Without it scaling waits for a node, its drivers, the image and the weights.",
    ),
)

FACTS: tuple[Fact, ...] = (
    Fact(
        key="orchestration.kind",
        type=k.enum(
            *("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod", "Job", "CronJob", "LeaderWorkerSet"),
            *(
                "InferenceService",
                "LLMInferenceService",
                "KnativeService",
                "RayService",
                "RayCluster",
                "RayJob",
                "Model",
            ),
            *("NIMService", "Compose", "Systemd", "Quadlet", "Process"),
            open_=True,
            lower=False,
        ),
        brief="Kind of object that runs the model.",
        why="Kinds differ in rollout, identity, scaling and platform defaults such as timeouts.",
        severity="low",
        examples=("Deployment", "InferenceService"),
        observe_with="kubectl -n $NS get pod $POD -o jsonpath='{.metadata.ownerReferences}'",
        playbook="scheduling",
    ),
    Fact(
        key="orchestration.replicas.min",
        type=k.count,
        brief="Fewest replicas that are kept.",
        why="With fewer, quiet hours end in cold starts and one failing pod takes more of the capacity.",
        severity="medium",
        examples=(0, 1, 3),
        observe_with=_SCALER,
        playbook="autoscaling",
    ),
    Fact(
        key="orchestration.replicas.max",
        type=k.count,
        brief="Most replicas that may run.",
        why="With fewer, peaks queue; with more, they cost GPUs that may not exist.",
        severity="medium",
        examples=(1, 10),
        observe_with=_SCALER,
        follows="orchestration.replicas.min",
        playbook="autoscaling",
    ),
    Fact(
        key="orchestration.autoscaler.kind",
        type=k.enum("none", "hpa", "keda", "kpa", "ray", "wva", open_=True, aliases={"knative": "kpa"}, absent="none"),
        brief="What scales the replicas.",
        why="Autoscalers differ in signals, reaction time and scale to zero; without one the replica count is fixed.",
        severity="medium",
        examples=("none", "hpa", "keda"),
        observe_with=_SCALER,
        playbook="autoscaling",
    ),
    Fact(
        key="orchestration.autoscaler.metrics",
        type=metrics,
        brief="Signals that drive scaling, with their targets.",
        why="CPU or memory say little about a busy GPU engine: replicas may come too late or never; another target "
        "changes cost and queueing.",
        severity="medium",
        examples=(
            [{"name": "cpu", "source": "resource", "target": 80, "target_type": "utilization"}],
            [
                {
                    "name": "vllm:num_requests_waiting",
                    "query": "sum(x)",
                    "source": "prometheus",
                    "target": 5,
                    "target_type": "value",
                }
            ],
        ),
        observe_with=_SCALER,
        playbook="autoscaling",
    ),
    Fact(
        key="orchestration.resources.cpu",
        type=_cores_pair,
        brief="CPU cores of the engine's container: request and limit.",
        why="Tokenization, scheduling and sampling run on the CPU: a tight limit throttles every step of the GPU.",
        severity="low",
        examples=({"limit": 16, "request": 8},),
        observe_with=_field(".spec.containers[*].resources"),
        playbook="scheduling",
    ),
    Fact(
        key="orchestration.resources.memory.bytes",
        type=_bytes_pair,
        brief="Memory of the engine's container: request and limit.",
        why="Loading, swapping and pinned buffers beyond the limit end in OOMKilled, often at startup or under peak "
        "load only.",
        severity="low",
        examples=({"limit": 68719476736, "request": 34359738368},),
        observe_with=_field(".spec.containers[*].resources"),
        playbook="scheduling",
    ),
    Fact(
        key="orchestration.resources.ephemeral_storage.bytes",
        type=_bytes_pair,
        brief="Local disk of the engine's container: request and limit.",
        why="Weights downloaded into the container beyond the limit get the pod evicted.",
        severity="low",
        examples=({"limit": 107374182400, "request": 107374182400},),
        observe_with=_field(".spec.containers[*].resources"),
        playbook="scheduling",
    ),
    Fact(
        key="orchestration.shm.bytes",
        type=k.bytes_or_unlimited,
        brief="Size of /dev/shm in the engine's container.",
        why="Tensor parallelism shares data through it: with the default of 64 MiB, NCCL or the workers can fail.",
        severity="low",
        examples=(67108864, 17179869184),
        observe_with="kubectl -n $NS exec $POD -- df -h /dev/shm",
        playbook="scheduling",
    ),
    Fact(
        key="orchestration.node_selector",
        type=k.mapping(k.verbatim),
        brief="Node labels that the pods require.",
        why="Other labels are other nodes: another GPU, zone, price class or driver.",
        severity="low",
        examples=({"cloud.google.com/gke-accelerator": "nvidia-l4"}, {}),
        observe_with=_field(".spec.nodeSelector"),
        playbook="scheduling",
        follows="hardware.gpu.model",
    ),
    Fact(
        key="orchestration.affinity",
        type=k.affinity,
        brief="Rules that draw the pods to nodes and to, or away from, other pods.",
        why="Replicas on one node fail together; workers on distant nodes talk slowly; other rules admit other GPUs.",
        severity="low",
        examples=(
            [
                {
                    "any_of": [{"matchExpressions": [{"key": "gpu", "operator": "In", "values": ["h100"]}]}],
                    "required": True,
                    "to": "node",
                }
            ],
            [],
        ),
        observe_with=_field(".spec.affinity"),
        playbook="scheduling",
    ),
    Fact(
        key="orchestration.tolerations",
        type=k.tolerations,
        brief="Taints that the pods tolerate.",
        why="Without the toleration pods stay pending on GPU nodes; with more they land on spot or reserved ones.",
        severity="low",
        examples=([{"effect": "NoSchedule", "key": "nvidia.com/gpu", "operator": "Exists"}], []),
        observe_with=_field(".spec.tolerations"),
        playbook="scheduling",
    ),
    *(
        Fact(
            key=f"orchestration.probe.{name}",
            type=probe,
            brief=f"The {name} probe: what it asks, its timings, and its budget in seconds.",
            why=why,
            severity="low",
            examples=(
                {
                    "budget": 600,
                    "failure_threshold": 60,
                    "initial_delay": 0,
                    "path": "/health",
                    "period": 10,
                    "port": 8000,
                    "success_threshold": 1,
                    "timeout": 1,
                    "type": "http",
                },
                None,
            ),
            observe_with=_field(f".spec.containers[*].{name}Probe"),
            playbook="probes",
        )
        for name, why in (
            (
                "startup",
                "A budget below the time that loading takes restarts the container for ever; without the probe, "
                "liveness judges the loading.",
            ),
            (
                "readiness",
                "A probe that succeeds too early sends requests to a model that is still loading; one that fails "
                "under load takes busy replicas away.",
            ),
            (
                "liveness",
                "A probe that is too strict kills pods that are loading or busy; without one a hung engine stays.",
            ),
        )
    ),
    Fact(
        key="orchestration.termination_grace",
        type=k.seconds,
        brief="Time a pod has to finish its requests after it is told to stop.",
        why="Generations that take longer are cut at every rollout and scale-down.",
        severity="low",
        examples=(30, 300),
        observe_with=_field(".spec.terminationGracePeriodSeconds"),
        playbook="scheduling",
    ),
    Fact(
        key="orchestration.strategy",
        type=strategy,
        brief="How a new version replaces the old one.",
        why="A surge needs spare GPUs: without them the rollout waits for ever; Recreate means downtime for the "
        "load time.",
        severity="low",
        examples=({"max_surge": "25%", "max_unavailable": "25%", "type": "RollingUpdate"}, {"type": "Recreate"}),
        observe_with=_WORKLOAD,
        playbook="scheduling",
    ),
    Fact(
        key="orchestration.image_pull_policy",
        type=k.enum("Always", "IfNotPresent", "Never"),
        brief="When the node pulls the image.",
        why="IfNotPresent with a tag that moves runs whatever a node happens to have; Always makes a registry "
        "outage an outage of scaling.",
        severity="low",
        examples=("IfNotPresent", "Always"),
        observe_with=_field(".spec.containers[*].imagePullPolicy"),
        playbook="engine-version",
    ),
    Fact(
        key="orchestration.service_links",
        type=k.boolean,
        brief="Whether variables for every Service of the namespace are put into the containers.",
        why="A Service named vllm yields VLLM_PORT=tcp://…, which the engine reads as its own setting and fails or "
        "misbehaves.",
        severity="low",
        examples=(True, False),
        observe_with=_field(".spec.enableServiceLinks"),
        playbook="scheduling",
    ),
    Fact(
        key="orchestration.service_prefixes",
        type=k.string_set,
        brief="Names of the Services of the same namespace, as far as the sources show them.",
        why="With service links on, each becomes a family of environment variables that may collide with the engine's.",
        severity="info",
        examples=(["llm", "vllm"],),
        observe_with="kubectl -n $NS get services -o name",
        combine="all",
        compared=False,
        playbook="scheduling",
    ),
    Fact(
        key="orchestration.hosts",
        type=k.count,
        brief="Pods of one replica: more than one for a multi-node group.",
        why="The engine splits the model over all of them; with too few the group waits for workers that never come.",
        severity="low",
        examples=(1, 2),
        observe_with="kubectl -n $NS get leaderworkerset,raycluster -o yaml (leave out kinds the cluster lacks)",
        playbook="scheduling",
    ),
    Fact(
        key="orchestration.volumes",
        type=volumes,
        brief="What is mounted where in the engine's container: type, source, sub-path, size.",
        why="Another volume may hold another model or configuration; a sub-path mount never sees updates; a missing "
        "cache volume downloads the weights at every start.",
        severity="low",
        examples=({"/models": {"read_only": True, "source": "llama-weights", "type": "persistentVolumeClaim"}}, {}),
        observe_with=_field(".spec.volumes"),
        playbook="scheduling",
    ),
    *later(
        "orchestration",
        _LATER,
        "scheduling",
        follows={"autoscaler.behaviour": "orchestration.autoscaler.kind"},
        # How it goes at the moment, not how it is meant to be: the checks say what is wrong with it.
        evidence=(
            *("autoscaler.status", "config.changed_after_start", "gitops", "rollout", "restarts"),
            "last_termination",
        ),
    ),
)
