"""Which accelerators a pod asks for, and how many."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from askew.evidence.document import Node
from askew.evidence.location import Location
from askew.facts.values.quantity import count
from askew.platforms.kubernetes.citations import EXTENDED_RESOURCES
from askew.platforms.kubernetes.draft import Layers, pick
from askew.platforms.kubernetes.observe import Entry, observed, observed_map, text_of, truth_of
from askew.resolve.observation import Observation, Unknown
from askew.resolve.workload import Problem

# Extended resources that are whole devices, by vendor. Sources: the device plugins' own documentation.
_DEVICES: Mapping[str, str] = {
    "nvidia.com/gpu": "nvidia",
    "nvidia.com/gpu.shared": "nvidia",
    "nvidia.com/pgpu": "nvidia",
    "amd.com/gpu": "amd",
    "gpu.intel.com/i915": "intel",
    "gpu.intel.com/xe": "intel",
    "intel.com/gpu": "intel",
    "habana.ai/gaudi": "intel",
    "aws.amazon.com/neuron": "aws",
    "aws.amazon.com/neurondevice": "aws",
    "aws.amazon.com/neuroncore": "aws",
    "google.com/tpu": "google",
}
_MIG = "nvidia.com/mig-"
# Shares of one device, with what shares it.
_SHARES: Mapping[str, str] = {
    "nvidia.com/gpu.shared": "time-slicing",
    "nvidia.com/gpumem": "hami",
    "nvidia.com/gpumem-percentage": "hami",
    "nvidia.com/gpucores": "hami",
    "aliyun.com/gpu-mem": "gpushare",
    "volcano.sh/vgpu-number": "volcano",
}

# Node labels whose value names a device.
PRODUCT_LABELS = frozenset(
    {
        "nvidia.com/gpu.product",
        "nvidia.com/gpu.family",
        "cloud.google.com/gke-accelerator",
        "cloud.google.com/gke-tpu-accelerator",
        "k8s.amazonaws.com/accelerator",
        "karpenter.k8s.aws/instance-gpu-name",
        "karpenter.k8s.aws/instance-accelerator-name",
        "gpu.nvidia.com/class",
        "gpu.nvidia.com/model",
        "amd.com/gpu.product-name",
        "beta.amd.com/gpu.product-name",
        "eks.amazonaws.com/instance-gpu-name",
        "node.coreweave.cloud/class",
        "gpu.gke.io/accelerator",
    }
)
INSTANCE_LABELS = frozenset({"node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type"})
_PARTITION = "cloud.google.com/gke-gpu-partition-size"
_SHARING = "cloud.google.com/gke-gpu-sharing-strategy"
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


class Devices(msgspec.Struct, frozen=True, kw_only=True):
    """What one container asks for: ``number`` of devices (None with a reason when that cannot be told)."""

    number: int | None = 0
    unknown: str = ""
    vendor: str = ""
    resource: str = ""
    mig_profile: str = ""
    sharing: str = ""
    locations: tuple[Location, ...] = ()
    request: Entry | None = None
    limit: Entry | None = None
    problems: tuple[Problem, ...] = ()


def devices(containers: Layers, pods: Layers) -> Devices:
    """The devices of one container. For extended resources the limit wins, and an absent one is the other."""
    found: dict[str, dict[str, tuple[int, Location]]] = {}
    problems: list[Problem] = []
    sharing = ""
    for section in ("requests", "limits"):
        for layer in containers:  # a higher layer's amount replaces a lower one's
            for name, node in layer["resources"][section].items():
                sharing = _SHARES.get(name, sharing)
                if name not in _DEVICES and not name.startswith(_MIG):
                    continue
                if node.value is None:
                    continue
                try:
                    found.setdefault(name, {})[section] = (count(text_of(node)), node.location)
                except ValueError as error:
                    problems.append(Problem(kind="malformed", message=f"{name}: {error}", locations=(node.location,)))
    number, vendor, profile, resource = 0, "", "", ""
    places: list[Location] = []
    amounts_of: dict[str, Entry] = {}
    for name, amounts in found.items():
        amount = (amounts.get("limits") or amounts.get("requests") or (0, None))[0]
        places.extend(at for _, at in sorted(amounts.values(), key=lambda pair: pair[1]))
        if not amount:
            continue
        for section, (written, at) in amounts.items():
            before = amounts_of.get(section)
            already = before.value if before is not None and isinstance(before.value, int) else 0
            amounts_of[section] = Entry(already + written, at)
        number += amount
        vendor = vendor or _DEVICES.get(name, "nvidia")
        resource = resource or name
        if name.startswith(_MIG):
            profile = profile or name.removesuffix(".shared")
            sharing = "time-slicing" if name.endswith(".shared") else sharing
    unknown = ""
    if problems and not number:
        return Devices(
            number=None, unknown=problems[0].message, locations=problems[0].locations, problems=tuple(problems)
        )
    if not number:
        unknown, place = _other_ways(containers, pods)
        if unknown and place:
            places.append(place)
    return Devices(
        number=None if unknown else number,
        unknown=unknown,
        vendor=vendor,
        resource=resource,
        mig_profile=profile,
        sharing=sharing,
        locations=tuple(places),
        request=amounts_of.get("requests") or amounts_of.get("limits"),
        limit=amounts_of.get("limits"),
        problems=tuple(problems),
    )


def _other_ways(containers: Layers, pods: Layers) -> tuple[str, Location | None]:
    """How a container can hold devices that no extended resource counts."""
    claims = pick(containers, "resources", "claims")
    if claims:
        names = ", ".join(text_of(claim["name"]) for claim in claims.each())
        return f"devices come through dynamic resource allocation (claim {names})", claims.location
    runtime = pick(pods, "runtimeClassName")
    if "nvidia" in text_of(runtime):
        return (
            f"runtimeClassName {text_of(runtime)} without a GPU resource: the node's device setup decides",
            runtime.location,
        )
    for layer in containers:
        for variable in layer["env"].each():
            if variable["name"].value == "NVIDIA_VISIBLE_DEVICES" and variable["value"].value not in (
                None,
                "",
                "void",
                "none",
            ):
                return (
                    "NVIDIA_VISIBLE_DEVICES without a GPU resource: devices are passed around the scheduler",
                    variable.location,
                )
        if truth_of(layer["securityContext"]["privileged"]):
            node = layer["securityContext"]["privileged"]
            return "a privileged container sees every device of the node, and asks for none", node.location
    for layer in pods:
        for volume in layer["volumes"].each():
            path = text_of(volume["hostPath"]["path"])
            if path.startswith(("/dev/nvidia", "/dev/dri", "/dev/kfd", "/dev/accel")):
                return f"the node's {path} is mounted, and no GPU resource is asked for", volume.location
    return "", None


def device_observations(
    own: Devices, total: int | None, unknown: str, places: tuple[Location, ...]
) -> list[Observation]:
    """GPU facts of one container. ``total`` is the count over all pods of one replica, or None with the reason."""
    found: list[Observation] = []
    fact = "hardware.gpu.count"
    if total is None:
        found.append(observed(fact, Unknown(unknown), *places))
    elif total or places:
        found.append(observed(fact, total, *places))
    else:
        because = ("the container asks for no accelerator",)
        found.append(observed(fact, 0, EXTENDED_RESOURCES, origin="platform-default", because=because))
    if own.vendor:
        found.append(observed("hardware.gpu.vendor", own.vendor, *own.locations))
    if own.resource:
        found.append(observed("hardware.gpu.resource", own.resource, *own.locations))
        # The server gives a request that is not written the limit's amount; it refuses a request without a limit.
        entries = {"request": own.request, "limit": own.limit or Entry(None)}
        found.extend(observed_map("hardware.gpu.request", {key: entry for key, entry in entries.items() if entry}))
    if own.mig_profile:
        found.append(observed("hardware.gpu.mig_profile", _profile(own.mig_profile), *own.locations))
    if own.sharing:
        found.append(observed("hardware.gpu.sharing", own.sharing, *own.locations))
    return found


def model_observations(pods: Layers) -> list[Observation]:
    """The accelerators that the node selector and the required node affinity admit; and GKE's partition and sharing."""
    alternatives: list[tuple[frozenset[str], Location]] = []
    found: list[Observation] = []
    unknown: Observation | None = None
    admitted: frozenset[str] | None = None
    places: list[Location] = []
    for layer in pods:
        for key, node in layer["nodeSelector"].items():
            if key == _PARTITION:
                found.append(observed("hardware.gpu.mig_profile", _profile(text_of(node)), node.location))
            elif key == _SHARING:
                found.append(observed("hardware.gpu.sharing", text_of(node), node.location))
            if key == "nvidia.com/gpu.product":
                found.extend(_slice(node))
            read = _label(key, (text_of(node),), node)
            if isinstance(read, Observation):
                unknown = unknown or read
            elif read is not None:
                admitted = read if admitted is None else admitted & read
                places.append(node.location)
    terms = [
        term for layer in pods for term in layer["affinity"]["nodeAffinity"][_REQUIRED]["nodeSelectorTerms"].each()
    ]
    unbounded = not terms
    for term in terms:
        of_term: frozenset[str] | None = None
        for expression in term["matchExpressions"].each():
            if expression["operator"].value != "In":
                continue
            values = tuple(text_of(value) for value in expression["values"].each())
            read = _label(text_of(expression["key"]), values, expression["values"])
            if isinstance(read, Observation):
                unknown = unknown or read
            elif read is not None:
                of_term = read if of_term is None else of_term & read
                places.append(expression["values"].location)
        if of_term is None:
            unbounded = True
        else:
            alternatives.append((of_term, term.location))
    if not unbounded:
        union = frozenset().union(*(ids for ids, _ in alternatives))
        admitted = union if admitted is None else admitted & union
    if admitted:
        found.append(observed("hardware.gpu.model", [*sorted(admitted)], *places))
    elif unknown is not None:
        found.append(unknown)
    return found


def _slice(node: Node) -> list[Observation]:
    """The MIG profile and the sharing that GPU feature discovery puts behind the product's name."""
    from askew.knowledge.gpus import parse_gpu_label

    try:
        label = parse_gpu_label(text_of(node))
    except ValueError:
        return []
    found: list[Observation] = []
    if label.mig_profile:
        found.append(observed("hardware.gpu.mig_profile", label.mig_profile, node.location))
    if label.sharing:
        found.append(observed("hardware.gpu.sharing", label.sharing, node.location))
    return found


def _profile(text: str) -> str:
    from askew.knowledge.gpus import mig_profile

    try:
        return mig_profile(text)
    except ValueError:
        return text


def _label(key: str, values: tuple[str, ...], node: Node) -> frozenset[str] | Observation | None:
    """The devices that a label admits; None where it says nothing of devices; an unknown for a device nobody knows."""
    product = key in PRODUCT_LABELS
    if not product and key not in INSTANCE_LABELS:
        return None
    from askew.knowledge.gpus import instance_gpus, parse_gpu_label

    admitted: frozenset[str] = frozenset()
    for value in values:
        if product:
            try:
                admitted |= parse_gpu_label(value, key).ids
            except ValueError:
                reason = f"the node label {key}={value} names a device that is not in the catalogue"
                return observed("hardware.gpu.model", Unknown(reason, text=value), node.location)
        else:
            instance = instance_gpus(value)
            if instance is None:
                return None  # an instance type without accelerators, or one that nobody listed
            admitted |= instance[0]
    return admitted or None
