"""The other pods of a multi-node group: what they are told differently from the pod that answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from askew.app import registry
from askew.compare.compare import STATED
from askew.engines.interface import Reading
from askew.resolve.observation import Observation, Unknown
from askew.resolve.workload import Workload

_FACT = "runtime.arguments.unmapped"


def differing(workload: Workload, engine: str, reading: Reading) -> Iterator[Observation]:
    """Every setting that a worker's own launch states otherwise than the leader's, or that only one of them states.

    All of a group normally run one command line but for the rank. A change made in both places is told once, by the
    leader's fact; a change in the worker alone makes the two differ, and shows here as ``worker: <fact>``.
    """
    ours = _stated(reading.observations)
    for member in workload.members:
        for launch in member.launches:
            if registry.recognise(launch) != engine:
                continue
            theirs = _stated(registry.engine(engine).read(launch).observations)
            for setting in sorted(ours.keys() | theirs.keys()):
                here, there = ours.get(setting), theirs.get(setting)
                if here is not None and there is not None and here.value == there.value:
                    continue
                fact, key = setting
                yield Observation(
                    fact=_FACT,
                    key=f"{member.role}: {fact}" + (f"[{key}]" if key else ""),
                    value=_shown(there),
                    origin="explicit",
                    locations=there.locations if there is not None else (launch.location,),
                )


def _stated(observations: Iterable[Observation]) -> dict[tuple[str, str], Observation]:
    """The last of each setting that somebody wrote."""
    return {(o.fact, o.key): o for o in sorted(observations, key=lambda o: o.order) if o.origin in STATED}


def _shown(observation: Observation | None) -> str | Unknown:
    if observation is None or observation.value is None:
        return "not set"
    return observation.value if isinstance(observation.value, Unknown) else str(observation.value)
