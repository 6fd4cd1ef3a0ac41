"""How to bring a target back to its reference: the exact text, where it goes, how to verify it, how to undo it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from askew.compare.compare import Difference, is_stated
from askew.evidence.location import Location
from askew.evidence.redaction import is_redacted
from askew.facts.types import Fact, Value
from askew.findings.describe import shown
from askew.findings.finding import Remedy
from askew.resolve.workload import Resolved, Snapshot

FlagFor = Callable[[str], str | None]

# Facts that an argument of the engine sets; everything else is a field of the object that the location shows.
_ARGUMENT_CATEGORIES = ("model", "runtime")
_OF_FILES = frozenset(("model", "measured"))  # where the files of a model tell something

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


def remedies(
    difference: Difference, target: Snapshot, flag_for: FlagFor, reference: Snapshot | None = None
) -> tuple[Remedy, ...]:
    """The steps that make the target's value the reference's; empty where the reference's own value is not known.

    ``flag_for`` names the argument that sets a fact in the target's engine and release, or None. Only arguments that it
    names are suggested. With ``reference`` the step repeats what stands there (``--generation-config=vllm``, a label),
    which the canonical value alone does not tell. Secrets never appear in a step.
    """
    fact, wanted, here = difference.fact, difference.reference, difference.target
    if is_redacted(wanted.value) or is_redacted(here.value) or "redacted" in (wanted.state, here.state):
        return (_secret(difference),)
    if wanted.state not in ("known", "absent") or here.state == "unsupported":
        return ()
    if fact.category == "performance":
        return ()  # what was measured is no setting; what it follows from is a finding of its own
    if fact.key == "orchestration.autoscaler.missing_metrics":
        return (_signal(here),) if here.value else ()
    if fact.key == "runtime.arguments.unmapped" and difference.key.startswith("--") and ":" not in difference.key:
        return (_option(difference),)
    if fact.key == "runtime.env":
        return (_variable(difference),)
    if fact.key == "runtime.packages" and difference.key and isinstance(wanted.value, str):
        return (_package(difference),)
    if fact.key == "model.golden_outputs":
        return (_outputs(difference),)
    if fact.key == "model.signature" or fact.key.startswith("model.training."):
        return (_recorded(difference),)
    flag = flag_for(fact.key) if fact.category in _ARGUMENT_CATEGORIES or _is_argument(target, here) else None
    if flag is not None and not _has_words(target) and (flag.startswith("-") or flag == flag.upper()):
        flag = None  # a file that stands alone has keys, and neither arguments nor variables
    if flag is not None and _can_be_argument(here):
        return (_argument(difference, flag, target, reference),)
    if here.origin == "reported" and fact.category in _ARGUMENT_CATEGORIES:
        return (_restarted(difference, flag),)
    if fact.category == "model" and {wanted.origin, here.origin} <= _OF_FILES:
        return (_model_file(difference),)
    return (_field(difference, target, reference),)


def _model_file(difference: Difference) -> Remedy:
    """What a file of the model says is not set anywhere: the file is taken from where it is right."""
    fact, here = difference.fact, _place(difference.target)
    right, wrong = _source(difference.reference), _source(difference.target)
    kind = fact.type.of(difference.key)
    if kind.name == "digest" and difference.key and difference.reference.value is None:
        action = f"Remove {wrong or difference.key}, which the reference does without"
    elif kind.name == "digest" or not right or difference.reference.value is None:
        action = f"Take {right or 'the files'} of the reference" + (f" in place of {wrong}" if wrong else "")
    else:
        value = _shown(difference, difference.reference)
        action = f"Set {_name(difference)} back to {value} in {wrong or right}, or take {right} of the reference"
    return Remedy(
        action=action,
        verify=_verify(fact),
        undo=f"Put {wrong or 'the files'} back as it is now" if wrong else "Put the files back as they are now",
        location=here,
        safe=False,
    )


def _source(resolved: Resolved) -> str:
    """The file that a value comes from; a file of weights has no lines to point at."""
    return resolved.locations[0].source if resolved.locations else ""


def _package(difference: Difference) -> Remedy:
    """A release of a library in the image that serves."""
    text = f"{difference.key}=={difference.reference.value}"
    was = f"{difference.key}=={difference.target.value}" if isinstance(difference.target.value, str) else ""
    return Remedy(
        action=f"Install {text} in the serving image",
        text=text,
        verify=f"pip freeze in the image shows {text}",
        undo=f"install {was} again" if was else f"remove {difference.key} again",
        location=_place(difference.target),
        safe=False,
    )


def _outputs(difference: Difference) -> Remedy:
    """What a model gives follows from what serves it."""
    return Remedy(
        action="Take back what changed between the two servers, in weights, engine or settings: "
        "askew diff of the deployment then and now names it",
        verify="askew golden verify: all inputs are answered as they were",
        undo="serve what runs now again",
        location=_place(difference.target),
        safe=False,
    )


def _recorded(difference: Difference) -> Remedy:
    """What is recorded of a model is changed by nothing but another model."""
    here = difference.target
    signature = difference.fact.key == "model.signature"
    action = "Serve the model of the reference" + (
        ", or write its signature in the serving schema" if signature else ""
    )
    verify = "the inputs of validation give the outputs that they gave then"
    return Remedy(action=action, verify=verify, undo="serve the other model again", location=_place(here), safe=False)


def _signal(here: Resolved) -> Remedy:
    """What the autoscaler asks for is written elsewhere than in the engine, and no value of the fact can be set."""
    action = "Let the autoscaler ask for a metric that this release emits: " + "; ".join(here.because)
    verify = "under load, the autoscaler's status shows the metric and the replica count follows it"
    return Remedy(action=action, verify=verify, undo="ask for the old metric again", location=_place(here), safe=False)


def _has_words(target: Snapshot) -> bool:
    launch = target.launch
    return launch is None or bool(launch.argv) or launch.image is not None


def _can_be_argument(here: Resolved) -> bool:
    return here.origin in ("explicit", "config-file", "env", "engine-default", "model", "derived", "assumed")


# -- arguments -------------------------------------------------------------------------------------------------------


def _argument(difference: Difference, flag: str, target: Snapshot, reference: Snapshot | None) -> Remedy:
    fact, wanted, here = difference.fact, difference.reference, difference.target
    now = _written(target, here)
    place = _place(here)
    verify = _verify(fact)
    undo = f"Write {now} again" if now else _undo(difference)
    safe = difference.confidence != "possible"
    repeated = _repeated(flag, difference, target, reference) if is_stated(wanted) else None
    if repeated is None and is_stated(here) and _removal_restores(difference, target, reference):
        default = "" if wanted.value is None else f": {_shown(difference, wanted)} is the default"
        action = f"Remove {now or flag + _key(difference)}{default}"
        return Remedy(action=action, verify=verify, undo=undo, location=place, safe=safe)
    verb = "Change it to" if is_stated(here) else "Set"
    default = "" if is_stated(wanted) else ", which the reference has by default"
    text = repeated or _spelled(flag, difference)
    if text is None:
        # The engine's own word for the value is not certain, so none is claimed.
        source = f" (there: {_place(wanted)})" if is_stated(wanted) and _place(wanted) else ""
        action = f"With {flag}, set {_name(difference)} back to {_shown(difference, wanted)}{source}"
        return Remedy(action=action, verify=verify, undo=undo, location=place, safe=safe)
    return Remedy(action=f"{verb} {text}{default}", text=text, verify=verify, undo=undo, location=place, safe=safe)


def _restarted(difference: Difference, flag: str | None) -> Remedy:
    """What an engine reports of itself changes with the way in which it is started."""
    text = _spelled(flag, difference) if flag is not None else None
    if text is not None:
        action = f"Start it with {text}"
    else:
        value = "not set" if difference.reference.value is None else _shown(difference, difference.reference)
        action = f"Start it so that {_name(difference)} is {value}" + (f": see {flag}" if flag is not None else "")
    return Remedy(
        action=action,
        text=text or "",
        verify=_verify(difference.fact),
        undo=_undo(difference),
        location=_place(difference.target),
        safe=False,
    )


def _removal_restores(difference: Difference, target: Snapshot, reference: Snapshot | None) -> bool:
    """Whether the target without its setting has the reference's value: known where its release's default is."""
    wanted, here = difference.reference, difference.target
    if any(s.origin == "engine-default" and difference.fact.type.same(s.value, wanted.value) for s in here.shadowed):
        return True
    if is_stated(wanted):
        return False
    if wanted.value is None:
        return True
    return reference is not None and reference.engine is not None and reference.engine == target.engine


def _repeated(flag: str, difference: Difference, target: Snapshot, reference: Snapshot | None) -> str | None:
    """The reference's own words, where the target's engine understands them."""
    if reference is None or reference.engine is None or target.engine is None or difference.key:
        return None
    if reference.engine.name != target.engine.name:
        return None
    words = _written(reference, difference.reference)
    if words is None:
        return None
    if not words.startswith("-"):
        # The model stands without a flag: it can stand so in the target only where it does already.
        now = _written(target, difference.target)
        if now is not None and not now.startswith("-"):
            return words
        return f"{flag} {words}"
    name = words.partition("=")[0].split(" ", 1)[0].replace("_", "-")
    known = reference.engine.version == target.engine.version or name in (flag, f"--no-{flag[2:]}")
    return words if known else None


def _written(snapshot: Snapshot, resolved: Resolved) -> str | None:
    """The words of the command line that a value comes from, flag and all; None where it comes from elsewhere."""
    if snapshot.launch is None:
        return None
    argv = snapshot.launch.argv
    places = set(resolved.locations)
    at = next((index for index, token in enumerate(argv) if token.location in places), None)
    if at is None:
        return None
    if not argv[at].text.startswith("-") and at and argv[at - 1].text.startswith("--") and "=" not in argv[at - 1].text:
        at -= 1
    end = at + 1
    if argv[at].text.startswith("-") and "=" not in argv[at].text:
        while end < len(argv) and not argv[end].text.startswith("-"):
            end += 1
    tokens = argv[at:end]
    if any(token.unknown is not None or is_redacted(token.text) for token in tokens):
        return None
    return " ".join(_word(token.text) for token in tokens)


def _is_argument(snapshot: Snapshot, resolved: Resolved) -> bool:
    """Whether a fact of serving is set on the engine's command line (its port), not on a route."""
    return resolved.fact.startswith("serving.") and (
        resolved.origin == "engine-default" or _written(snapshot, resolved) is not None
    )


def _word(text: str) -> str:
    safe = text and all(char.isalnum() or char in "-_=./:,@%+" for char in text)
    return text if safe else "'" + text.replace("'", "'\\''") + "'"


def _spelled(flag: str, difference: Difference) -> str | None:
    """The argument as it is typed; None where one argument cannot say it, or its spelling is not the canonical one.

    Sizes and times have other units on the command line, and enumerations other words (``engine`` is
    ``--generation-config vllm``).
    """
    fact, value, key = difference.fact, difference.reference.value, difference.key
    if value is None:
        return None
    if not flag.startswith("-"):
        return f"{flag}={value}" if isinstance(value, (str, int)) and not isinstance(value, bool) else None
    if isinstance(value, bool):
        inverted = flag.startswith(("--disable-", "--no-"))
        return flag if value is not inverted else None
    if key:
        return f"{flag} {_word(_json({key: value}))} (with the other keys it has)"
    if isinstance(value, dict):
        return f"{flag} {_word(_json(value))}" if value else None
    if isinstance(value, list):
        return f"{flag} {' '.join(_word(str(item)) for item in value)}"
    if fact.type.name in ("count", "tokens", "ratio", "text", "version") or value in _FLOATS:
        return f"{flag} {_word(str(value).removeprefix('hf://'))}"
    return None


_FLOATS = ("bfloat16", "float16", "float32")


def _json(value: Value) -> str:
    return msgspec.json.encode(value).decode()


# -- everything else -------------------------------------------------------------------------------------------------


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


def _option(difference: Difference) -> Remedy:
    """An argument without a fact of its own is repeated as the reference has it."""
    name, wanted = difference.key, difference.reference
    text = "" if wanted.value is None else f"{name} {wanted.value}".strip()
    default = "" if is_stated(wanted) else ", which the reference has by default"
    action = f"Set {text}{default}" if text else f"Remove {name}, as the reference does without it"
    return Remedy(
        action=action,
        text=text,
        verify=_verify(difference.fact),
        undo=_undo(difference),
        location=_place(difference.target),
        safe=difference.confidence != "possible",
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


def _field(difference: Difference, target: Snapshot, reference: Snapshot | None) -> Remedy:
    fact, wanted, here = difference.fact, difference.reference, difference.target
    place = _place(here) if is_stated(here) else None
    where = _whole(difference, place.path) if place is not None and place.path else _FIELDS.get(fact.key, fact.key)
    now = _text_at(target, here, difference) if is_stated(here) and here.state == "known" else None
    if difference.key == "budget" and fact.key.startswith("orchestration.probe."):
        probe = where.rpartition(".")[0] or where
        action = f"Restore the timings of {probe}: the budget of {_shown(difference, wanted)} follows"
        return Remedy(action=action, verify=_verify(fact), undo="Put the timings back", location=_place(here))
    text = None if wanted.value is None else _text_at(reference, wanted, difference)
    by_default = not is_stated(wanted) and wanted.origin == "platform-default"
    if wanted.value is None or (by_default and place is not None):
        default = ", as the reference does without it" if wanted.value is None else f": the default is {text}"
        action = f"Remove {where}{_key(difference)}{default}"
        text = ""
    elif place is None and (there := _place(wanted)) is not None and there.object and there.path:
        action = f"In {there.object}, set {there.path} to {text}"
    elif place is None:
        named = (
            "" if fact.key.startswith("orchestration.probe.") and not difference.key else _last(fact, difference.key)
        )
        action = " ".join(part for part in ("Give", where, named, str(text)) if part)
    else:
        # Without the reference's own reference to an image, a tag alone is no image.
        bare = fact.key in _IMAGE[1:] and text == str(wanted.value)
        action = f"In {where}, set the {_last(fact, '')} to {text}" if bare else f"In {where}, write {text}"
        if fact.key == "hardware.gpu.model" and text == _shown(difference, wanted):
            action = f"In {where}, choose {text} again"
        elif fact.key == "hardware.gpu.model" and text != _shown(difference, wanted):
            action += f" ({_shown(difference, wanted)})"
    return Remedy(
        action=action,
        text="" if text is None or action.endswith(f"choose {text} again") else text,
        verify=_verify(fact),
        undo=f"Write {now} there again" if now else _undo(difference),
        location=_place(here),
        safe=difference.confidence != "possible",
    )


_PROBE_FIELDS = {
    "initial_delay": "initialDelaySeconds",
    "period": "periodSeconds",
    "timeout": "timeoutSeconds",
    "success_threshold": "successThreshold",
    "failure_threshold": "failureThreshold",
}


def _probe(value: dict[str, Value]) -> str:
    """A probe as a manifest has it, on one line."""
    asks = {"http": "httpGet", "tcp": "tcpSocket", "grpc": "grpc"}.get(str(value.get("type")))
    inner = [f"{name}: {value[name]}" for name in ("path", "port", "service") if value.get(name) is not None]
    if value.get("scheme") == "https":
        inner.append("scheme: HTTPS")
    parts = [f"{asks}: {{{', '.join(inner)}}}"] if asks else [f"exec of {value.get('command', 'its command')}"]
    parts.extend(f"{field}: {value[name]}" for name, field in _PROBE_FIELDS.items() if value.get(name) is not None)
    return "{" + ", ".join(parts) + "}"


_PROBE = ("startupProbe", "readinessProbe", "livenessProbe")
_IMAGE = ("runtime.image", "runtime.image.tag", "runtime.image.digest", "runtime.engine.version")


def _whole(difference: Difference, path: str) -> str:
    """The field that a path leads to; of a probe that is there or not, the probe."""
    name = next((name for name in _PROBE if f".{name}." in path), "")
    return path[: path.index(name) + len(name)] if name and not difference.key else path


def _text_at(snapshot: Snapshot | None, resolved: Resolved, difference: Difference) -> str:
    """What stands, or has to stand, at a place: the label or image as it is written, a size as Kubernetes writes it."""
    fact = difference.fact
    if snapshot is not None and fact.key in _IMAGE:
        launch = snapshot.launch or (snapshot.container.launch if snapshot.container is not None else None)
        if launch is not None and launch.image is not None and launch.image.unknown is None:
            return launch.image.text
        parts = [snapshot.facts.get(key) for key in _IMAGE[:3]]
        name, tag, digest = (str(r.value) if r is not None and r.state == "known" else "" for r in parts)
        if name and (tag or digest):
            return name + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    if snapshot is not None and fact.key.startswith("hardware.gpu."):
        labels = snapshot.facts.get("orchestration.node_selector")
        places, where = set(resolved.locations), "".join(at.path for at in difference.target.locations)
        for label, entry in labels.entries.items() if labels is not None else ():
            there = places & set(entry.locations) or f"['{label}']" in where
            if there and isinstance(entry.value, str) and not is_redacted(entry.value):
                return entry.value
    value = resolved.value
    if fact.key.startswith("orchestration.probe.") and isinstance(value, dict):
        return _probe(value)
    kind = fact.type.of(difference.key)
    if kind.name == "bytes" and isinstance(value, int) and not isinstance(value, bool):
        for unit, size in (("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10)):
            if value and value % size == 0:
                return f"{value // size}{unit}"
        return str(value)
    return str(value) if kind.name == "seconds" else kind.show(value)


def _last(fact: Fact, key: str) -> str:
    return key or fact.key.split(".", 1)[1].replace("_", " ").removesuffix(".bytes").replace(".", " ")


def _key(difference: Difference) -> str:
    return f" ({difference.key})" if difference.key else ""


def _place(resolved: Resolved) -> Location | None:
    return next((at for at in resolved.locations if at.line or at.object), None)


def _verify(fact: Fact) -> str:
    look = f"; live: {fact.observe_with}" if fact.observe_with else ""
    return f"run askew again with --only {fact.key}: no finding{look}"


def _name(difference: Difference) -> str:
    return f"{difference.fact.key}[{difference.key}]" if difference.key else difference.fact.key


def _shown(difference: Difference, resolved: Resolved) -> str:
    return shown(difference.fact, resolved.value, difference.key)


def _undo(difference: Difference) -> str:
    here = difference.target
    if not is_stated(here) or here.state == "absent":
        return f"Remove what was added; {_name(difference)} is then what it was"
    if here.state == "unknown":
        return f"Put back {here.text}" if here.text and not is_redacted(here.text) else "Put back what stood there"
    return f"Set {_name(difference)} back to {_shown(difference, here)}"
