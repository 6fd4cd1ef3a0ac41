"""What commands printed in the pods of a workload: of each pod what it shows, of the workload what all of them show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from askew.platforms.interface import SourceText
from askew.platforms.probes.container import into
from askew.platforms.probes.read import read
from askew.resolve.observation import Observation
from askew.resolve.workload import Replica, Workload

# Namespace and pod → container → the outputs of its probes.
Ran = Mapping[tuple[str, str], Mapping[str, Sequence[SourceText]]]

_COUNT = "hardware.gpu.count"


def of_workload(workload: Workload, ran: Ran) -> Workload:
    """A workload with what was seen in its pods. What they show differently stays with the pods; the process that runs
    is taken where the template does not tell what its image or script starts."""
    replicas: list[Replica] = []
    seen: dict[str, list[tuple[Observation, ...]]] = {}
    running: dict[str, Sequence[SourceText]] = {}
    for replica in workload.replicas:
        outputs = ran.get((workload.namespace, replica.name), {})
        mine = dict(replica.seen)
        for name, texts in outputs.items():
            # A pod of several that make one replica shows the devices of that pod.
            found = tuple(one for one in read(texts) if not (workload.members and one.fact == _COUNT))
            mine[name] = (*mine.get(name, ()), *found)
            if not replica.part:
                seen.setdefault(name, []).append(found)
                running.setdefault(name, texts)
        replicas.append(msgspec.structs.replace(replica, seen=mine) if outputs else replica)
    if not seen:
        return msgspec.structs.replace(workload, replicas=tuple(replicas))
    containers = (into(one, seen.get(one.name, ()), running.get(one.name, ())) for one in workload.containers)
    return msgspec.structs.replace(workload, replicas=tuple(replicas), containers=tuple(containers))
