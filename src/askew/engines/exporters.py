"""Metrics that no engine gives, but exporters beside it: of its GPUs, and of its pods.

Sources: ``etc/default-counters.csv`` of https://github.com/NVIDIA/dcgm-exporter (memory in MiB, shares in percent),
https://github.com/utkuozdemir/nvidia_gpu_exporter , https://github.com/ROCm/device-metrics-exporter (memory in MB),
https://github.com/kubernetes/kube-state-metrics/tree/v2.16.0/docs/metrics .
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from askew.engines.live import Meter, Meters, Stated
from askew.engines.meters import read as read_table
from askew.evidence.location import Location
from askew.evidence.scrapes import Scrapes
from askew.evidence.series import Series
from askew.facts.types import Value
from askew.knowledge.gpus import clock_reasons, parse_gpu_label
from askew.resolve.observation import Observation

_MIB = 2**20
_REASONS = ("DCGM_FI_DEV_CLOCKS_EVENT_REASONS", "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS")
_RESTARTS = "kube_pod_container_status_restarts_total"
_XID = "DCGM_FI_DEV_XID_ERRORS"
# Labels in which exporters write the name of the GPU, and those of their metrics that always have it.
_NAMES = {
    "DCGM_FI_DEV_GPU_UTIL": "modelName",
    "DCGM_FI_DEV_FB_USED": "modelName",
    "nvidia_smi_gpu_info": "name",
    "gpu_gfx_activity": "card_series",
    "gpu_total_vram": "card_series",
}
_PODS = ("exported_pod", "pod", "pod_name")
_DCGM = ("DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_SM_CLOCK")

TABLES: tuple[Meters, ...] = (
    Meters(
        prefixes=("DCGM_FI_",),
        marks=(*_REASONS, _XID, *_DCGM),
        meters=(
            Meter(
                fact="performance.gpu_utilization", how="level", across="mean", scale=0.01,
                names=("DCGM_FI_DEV_GPU_UTIL",),
            ),
            Meter(
                fact="performance.gpu_memory.bytes", how="level", across="mean", scale=_MIB,
                names=("DCGM_FI_DEV_FB_USED",),
            ),
            Meter(fact="hardware.gpu.memory.bytes", how="value", scale=_MIB, names=("DCGM_FI_DEV_FB_TOTAL",)),
            Meter(fact="hardware.gpu.power_limit", how="value", names=("DCGM_FI_DEV_POWER_MGMT_LIMIT",)),
        ),
        stated=(
            Stated(fact="hardware.driver.version", names=_DCGM, labels=("DCGM_FI_DRIVER_VERSION",)),
            Stated(fact="hardware.gpu.mig_profile", names=_DCGM, labels=("GPU_I_PROFILE",)),
        ),
    ),
    Meters(
        prefixes=("nvidia_smi_",),
        marks=("nvidia_smi_gpu_info",),
        meters=(
            Meter(
                fact="performance.gpu_utilization", how="level", across="mean",
                names=("nvidia_smi_utilization_gpu_ratio",),
            ),
            Meter(
                fact="performance.gpu_memory.bytes", how="level", across="mean", names=("nvidia_smi_memory_used_bytes",)
            ),
            Meter(fact="hardware.gpu.memory.bytes", how="value", names=("nvidia_smi_memory_total_bytes",)),
            Meter(
                fact="hardware.gpu.power_limit", how="value",
                names=("nvidia_smi_enforced_power_limit_watts", "nvidia_smi_power_limit_watts"),
            ),
        ),
        stated=(
            Stated(fact="hardware.driver.version", names=("nvidia_smi_gpu_info",), labels=("driver_version",)),
        ),
    ),
    Meters(
        prefixes=("gpu_",),
        marks=("gpu_gfx_activity", "gpu_total_vram"),
        aliases={"amd_gpu_": "gpu_"},
        meters=(
            Meter(
                fact="performance.gpu_utilization", how="level", across="mean", scale=0.01, names=("gpu_gfx_activity",)
            ),
            Meter(
                fact="performance.gpu_memory.bytes", how="level", across="mean", scale=_MIB, names=("gpu_used_vram",)
            ),
        ),
        stated=(Stated(fact="hardware.driver.version", names=("gpu_gfx_activity",), labels=("driver_version",)),),
    ),
    Meters(
        prefixes=("kube_",),
        meters=(
            Meter(
                fact="orchestration.replicas.min", how="value",
                names=("kube_horizontalpodautoscaler_spec_min_replicas",),
            ),
            Meter(
                fact="orchestration.replicas.max", how="value",
                names=("kube_horizontalpodautoscaler_spec_max_replicas",),
            ),
        ),
        marks=(_RESTARTS,),
    ),
)  # fmt: skip


def read(scrapes: Scrapes) -> tuple[Observation, ...]:
    """What exporters measured of the GPUs and pods that the metrics are of."""
    found = [one for table in TABLES for one in read_table(scrapes, table)]
    found.extend(_models(scrapes.series))
    found.extend(_clocks(scrapes.series))
    found.extend(_restarts(scrapes.series))
    return tuple(found)


def _models(series: Iterable[Series]) -> Iterator[Observation]:
    """The GPUs, as their driver names them: those of the pods that use them, or of the whole node where the exporter
    does not know the pods."""
    ids: set[str] = set()
    places: list[Location] = []
    attributed = True
    for one in series:
        name = one.labels.get(_NAMES.get(one.name.removeprefix("amd_"), ""), "")
        try:
            admitted = parse_gpu_label(name).ids if name else frozenset[str]()
        except ValueError:
            continue
        ids |= admitted
        if admitted:
            places.append(one.at)
            attributed = attributed and any(one.labels.get(label) for label in _PODS)
    if ids:
        models: list[Value] = [*sorted(ids)]
        seen = _seen("hardware.gpu.model", models, places)
        yield (
            seen
            if attributed
            else msgspec.structs.replace(
                seen, confidence="likely", because=("the exporter shows the GPUs of the node, not those of a pod",)
            )
        )


def _clocks(series: Iterable[Series]) -> Iterator[Observation]:
    """Why clocks were lowered at any time, and the codes that the driver reported."""
    reasons: set[str] = set()
    codes: set[int] = set()
    of_reasons: list[Location] = []
    of_codes: list[Location] = []
    for one in series:
        values = [int(value) for _, value in one.points if math.isfinite(value) and 0 <= value < 2**16]
        if one.name in _REASONS and values:
            of_reasons.append(one.at)
            reasons.update(name for value in values for name in clock_reasons(value))
        elif one.name == _XID and values:
            of_codes.append(one.at)
            codes.update(value for value in values if value)
    if of_reasons:
        named: list[Value] = [*sorted(reasons)]
        yield _seen("hardware.gpu.throttle_reasons", named, of_reasons)
    if of_codes:
        listed: list[Value] = [*sorted(codes)]
        yield _seen("hardware.gpu.xid_events", listed, of_codes)


def _restarts(series: Iterable[Series]) -> Iterator[Observation]:
    """The most that any of the pods has, where one container of each is meant: sidecars have restarts of their own."""
    found = [one for one in series if one.name == _RESTARTS and one.points and math.isfinite(one.points[-1][1])]
    if found and len({one.labels.get("container", "") for one in found}) == 1:
        most = max(one.points[-1][1] for one in found)
        worst = [one.at for one in found if one.points[-1][1] == most]
        yield _seen("orchestration.restarts", max(int(most), 0), worst)


def _seen(fact: str, value: Value, places: Sequence[Location]) -> Observation:
    return Observation(fact=fact, value=value, origin="measured", basis="seen", locations=tuple(places)[:3])
