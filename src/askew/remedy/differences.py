"""How to bring a target back to its reference: the exact text, where it goes, how to verify it, how to undo it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from askew.compare.compare import Difference, is_stated
from askew.evidence.location import Location
from askew.evidence.redaction import is_redacted
from askew.facts.types import Fact, Value
from askew.findings.finding import Remedy
from askew.resolve.workload import Resolved, Snapshot

FlagFor = Callable[[str], str | None]

# Facts that an argument of the engine sets; everything else is a field of the object that the location shows.
_ARGUMENT_CATEGORIES = ("model", "runtime")

# Where a fact stands when the target has nothing that could be pointed at: the field of a pod template.
_FIELDS: Mapping[str, str] = {
    "orchestration.shm.bytes": "an emptyDir volume with medium Memory and sizeLimit, mounted at /dev/shm",
    "orchestration.probe.startup": "startupProbe of the engine's container",
    "orchestration.probe.readiness": "readinessProbe of the engine's container",
    "orchestration.probe.liveness": "livenessProbe of the engine's container",
    "orchestration.termination_grace": "terminationGracePeriodSeconds of the pod",
    "orchestration.prestop": "lifecycle.preStop of the engine's container",
    "orchestration.node_selector": "nodeSelector of the pod",
    "orchestration.affinity": "affinity of the pod",
    "orchestration.tolerations": "tolerations of the pod",
    "orchestration.image_pull_policy": "imagePullPolicy of the engine's container",
    "orchestration.service_links": "enableServiceLinks of the pod",
    "orchestration.resources.cpu": "resources of the engine's container",
    "orchestration.resources.memory.bytes": "resources of the engine's container",
    "orchestration.resources.ephemeral_storage.bytes": "resources of the engine's container",
    "orchestration.strategy": "strategy of the workload",
    "orchestration.replicas.min": "replicas of the workload, or minReplicas of its autoscaler",
    "orchestration.replicas.max": "replicas of the workload, or maxReplicas of its autoscaler",
    "orchestration.autoscaler.kind": "the autoscaler of the workload",
    "orchestration.autoscaler.metrics": "the metrics of the autoscaler",
    "orchestration.volumes": "volumes and volumeMounts of the pod",
    "hardware.gpu.count": "the GPU limit in resources of the engine's container",
    "hardware.gpu.model": "the node selector or affinity that chooses the GPU",
    "runtime.image": "image of the engine's container",
    "runtime.image.tag": "the tag in image of the engine's container",
    "runtime.image.digest": "the digest in image of the engine's container",
    "runtime.engine.version": "the tag in image of the engine's container",
}


def remedies(difference: Difference, target: Snapshot, flag_for: FlagFor) -> tuple[Remedy, ...]:
    """The steps that make the target's value the reference's; empty where the reference's own value is not known.

    ``flag_for`` names the argument that sets a fact in the target's engine and release, or None. Only arguments that it
    names are suggested. Secrets never appear in a step.
    """
    fact, reference, here = difference.fact, difference.reference, difference.target
    if is_redacted(reference.value) or is_redacted(here.value):
        return (_secret(difference),)
    if reference.state not in ("known", "absent"):
        return ()
    if fact.key == "runtime.env":
        return (_variable(difference),)
    flag = flag_for(fact.key) if fact.category in _ARGUMENT_CATEGORIES else None
    if flag is not None and _can_be_argument(here):
        return _argument(difference, flag)
    return (_field(difference),)


def _can_be_argument(here: Resolved) -> bool:
    return here.origin in ("explicit", "config-file", "env", "engine-default", "model", "derived", "assumed")


def _argument(difference: Difference, flag: str) -> tuple[Remedy, ...]:
    fact, reference, here = difference.fact, difference.reference, difference.target
    place = _place(here)
    verify, undo = _verify(fact), _undo(difference)
    if reference.value is None or (reference.value is False and not is_stated(reference)):
        if not is_stated(here):
            return ()
        return (
            Remedy(
                action=f"Remove {flag}{_key(difference)}, as the reference does without it",
                verify=verify,
                undo=undo,
                location=place,
            ),
        )
    text = _spelled(flag, difference.key, reference.value)
    if text is None:
        return ()
    default = "" if is_stated(reference) else ", which the reference has by default"
    verb = "Set" if not is_stated(here) else "Change it to"
    return (Remedy(action=f"{verb} {text}{default}", text=text, verify=verify, undo=undo, location=place),)


def _spelled(flag: str, key: str, value: Value) -> str | None:
    """The argument as it is typed; None where one argument cannot say it."""
    if isinstance(value, bool):
        return flag if value else _negated(flag)
    if key:
        return f"{flag} '{msgspec.json.encode({key: value}).decode()}' (with the other keys it has)"
    if isinstance(value, dict):
        return f"{flag} '{msgspec.json.encode(value).decode()}'"
    if isinstance(value, list):
        return f"{flag} {' '.join(str(item) for item in value)}"
    return f"{flag} {value}"


def _negated(flag: str) -> str | None:
    return f"--no-{flag[2:]}" if flag.startswith("--") and not flag.startswith("--no-") else None


def _variable(difference: Difference) -> Remedy:
    name, reference = difference.key or "the variables", difference.reference
    if reference.state == "absent" or reference.value is None:
        action, text = f"Remove the variable {name}", ""
    elif isinstance(reference.value, dict):
        action, text = f"Set the variables {', '.join(sorted(reference.value))} as in the reference", ""
    else:
        text = f"{name}={reference.value}"
        action = f"Set the variable {text}"
    return Remedy(
        action=action,
        text=text,
        verify=_verify(difference.fact),
        undo=_undo(difference),
        location=_place(difference.target),
    )


def _secret(difference: Difference) -> Remedy:
    name = difference.key or difference.fact.key
    return Remedy(
        action=f"Compare where {name} comes from on both sides, and use the reference's",
        verify=_verify(difference.fact),
        undo="Point it back at where it came from",
        location=_place(difference.target),
        safe=False,
    )


def _field(difference: Difference) -> Remedy:
    fact, reference = difference.fact, difference.reference
    place = _place(difference.target) if is_stated(difference.target) else None
    where = place.path if place is not None and place.path else _FIELDS.get(fact.key, fact.key)
    if reference.value is None:
        action = f"Remove {where}{_key(difference)}, as the reference does without it"
    else:
        value = (
            fact.type.entry(difference.key).show(reference.value)
            if difference.key and fact.type.entry
            else fact.type.show(reference.value)
        )
        action = f"In {where}, set {_last(fact, difference.key)} back to {value}"
    return Remedy(action=action, verify=_verify(fact), undo=_undo(difference), location=_place(difference.target))


def _last(fact: Fact, key: str) -> str:
    return key or fact.key.split(".", 1)[1].replace("_", " ").removesuffix(".bytes").replace(".", " ")


def _key(difference: Difference) -> str:
    return f" ({difference.key})" if difference.key else ""


def _place(resolved: Resolved) -> Location | None:
    return next((at for at in resolved.locations if at.line or at.object), None)


def _verify(fact: Fact) -> str:
    look = f"; live: {fact.observe_with}" if fact.observe_with else ""
    return f"run askew again with --only {fact.key}: no finding{look}"


def _undo(difference: Difference) -> str:
    fact, here = difference.fact, difference.target
    name = f"{fact.key}[{difference.key}]" if difference.key else fact.key
    if not is_stated(here) or here.state == "absent":
        return f"Remove what was added; {name} is then what it was"
    if here.state == "unknown":
        return f"Put back {here.text}" if here.text else "Put back what stood there"
    value = (
        fact.type.entry(difference.key).show(here.value)
        if difference.key and fact.type.entry
        else fact.type.show(here.value)
    )
    return f"Set {name} back to {value}"
