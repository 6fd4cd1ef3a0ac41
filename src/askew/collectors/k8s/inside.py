"""What pods say themselves, where the user allowed it: their logs, what they answer, and what commands print in them.

Each is a call for every pod, so only so many pods of a workload are asked. Nothing is changed: logs and answers are
read, and the commands are those of ``collectors.probes``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

import msgspec

from askew.collectors.asking import MAX_BYTES, Asked, Reply, ask
from askew.collectors.interface import Text
from askew.collectors.k8s.objects import Plain, list_at, mapping_at, text_at
from askew.collectors.k8s.server import DeadlineError, RequestError, Server
from askew.collectors.k8s.target import Target
from askew.engines.live import Ask
from askew.evidence.document import Document
from askew.evidence.redaction import Redactor

MOST_PODS = 16  # of one workload
MOST_TOGETHER = 64
_LOG_HEAD = 2 * 2**20
_LOG_TAIL = 256 * 1024
_TAIL_LINES = 400
_SECONDS = 20.0
_MOST_PORTS = 4
# Containers that others put beside the one that serves.
_SIDECARS = frozenset(
    [
        "istio-proxy",
        "istio-init",
        "linkerd-proxy",
        "linkerd-init",
        "queue-proxy",
        "vault-agent",
        "vault-agent-init",
        "datadog-agent",
        "otc-container",
        "envoy",
        "storage-initializer",
        "cloud-sql-proxy",
        "gke-gcsfuse-sidecar",
        "modelcar",
    ]
)
# The maker of an accelerator by the domain of its resource.
_VENDORS: Mapping[str, str] = {
    "nvidia.com": "nvidia",
    "amd.com": "amd",
    "gpu.intel.com": "intel",
    "habana.ai": "intel",
    "huawei.com": "huawei",
    "aws.amazon.com": "aws",
}


class Said(msgspec.Struct, kw_only=True):
    """What came of it. ``denied`` are rights that are missing (``get pods/log prod``), ``failed`` what gave nothing."""

    documents: list[Document] = []
    texts: list[Text] = []
    denied: list[str] = []
    failed: list[str] = []


def listen(server: Server, source: str, pods: Iterable[Plain], target: Target, redactor: Redactor) -> Iterator[Said]:
    """Ask the pods what the target wants to know of them: one result for each, as they come. Raises DeadlineError where
    the time is up, and AccessError."""
    denied: set[str] = set()
    for pod in pods:
        visit = _Visit(server, source, pod, redactor, denied)
        try:
            if target.logs:
                visit.logs()
            if target.endpoints:
                visit.endpoints()
            if target.exec:
                visit.exec()
        except BaseException:  # Ctrl-C too: what the pod said until then counts
            yield visit.said
            raise
        yield visit.said


def chosen(pods: Iterable[Plain]) -> tuple[list[Plain], int]:
    """The pods that are asked, and how many are left out: some of each owner, those that are not ready first."""
    by_owner: dict[str, list[Plain]] = {}
    for pod in pods:
        if text_at(pod, "status", "phase") in ("Running", "Failed", "Pending") and not _deleted(pod):
            owners = [text_at(each, "uid") for each in list_at(pod, "metadata", "ownerReferences")]
            by_owner.setdefault(owners[0] if owners else text_at(pod, "metadata", "uid"), []).append(pod)
    taken: list[Plain] = []
    for group in by_owner.values():
        group.sort(key=lambda one: (_ready(one), text_at(one, "metadata", "name")))
        taken.extend(group[:MOST_PODS])
    count = sum(len(group) for group in by_owner.values())
    return taken[:MOST_TOGETHER], count - len(taken[:MOST_TOGETHER])


class _Visit:
    """One pod. ``denied`` is shared between all: a right that is missing in a namespace is asked for once."""

    def __init__(self, server: Server, source: str, pod: Plain, redactor: Redactor, denied: set[str]) -> None:
        self.said = Said()
        self._server = server
        self._pod = pod
        self._redactor = redactor
        self._denied = denied
        self._namespace = text_at(pod, "metadata", "namespace")
        self._name = text_at(pod, "metadata", "name")
        self._path = f"/api/v1/namespaces/{self._namespace}/pods/{self._name}"
        self._source = f"{source}/{self._namespace}/pods/{self._name}"

    def logs(self) -> None:
        """The beginning of each log, where engines say how they start, and the end of a long one; also of the run
        before, where there was one."""
        for container, status in _containers(self._pod):
            state = mapping_at(status, "state")
            if "waiting" not in state or _restarts(status):
                self._log(container, previous=False)
            if _restarts(status) or mapping_at(status, "lastState", "terminated"):
                self._log(container, previous=True)

    def _log(self, container: str, *, previous: bool) -> None:
        from askew.collectors.logs import clean_bytes

        asked = {"container": container, **({"previous": "true"} if previous else {})}
        source = f"{self._source}/{container}/log" + ("?previous=true" if previous else "")
        what = f"log of {container}"
        head = self._try("get", "pods/log", what, partial(self._part, asked, _LOG_HEAD))
        self._text(source, clean_bytes(head, self._redactor, _LOG_HEAD))
        if len(head) >= _LOG_HEAD:
            last = {**asked, "tailLines": str(_TAIL_LINES)}
            tail = self._try("get", "pods/log", what, partial(self._part, last, _LOG_TAIL))
            name = source + ("&" if previous else "?") + f"tail={_TAIL_LINES}"
            self._text(name, clean_bytes(tail, self._redactor, _LOG_TAIL))

    def _part(self, asked: Mapping[str, str], limit: int) -> bytes:
        return self._server.get(
            f"{self._path}/log",
            {**asked, "limitBytes": str(limit)},
            accept="*/*",
            limit=limit,
            cut=True,
            seconds=_SECONDS,
            attempts=2,
        )

    def endpoints(self) -> None:
        """What the first port answers on which an engine is recognised; only of pods that are ready."""
        if not _ready(self._pod) or not self._may("get", "pods/proxy"):
            return
        answers: list[Asked] = []
        for port in _ports(self._pod):
            address = f"{self._source}:{port}/proxy"
            asked = ask(_Proxied(self, port).get, self._redactor, address, replica=self._name)
            self._text(f"{address}#asked", "\n".join(asked.log))
            if asked.told:
                answers.append(asked)
            if asked.engine or not self._may("get", "pods/proxy"):
                answers = [asked] if asked.engine else answers
                break
        for asked in answers:
            for one in asked.told:
                if one.document is not None:
                    self.said.documents.append(one.document)
                else:
                    self.said.texts.append(Text(source=one.source, text=one.text))
        if not answers and self._may("get", "pods/proxy"):
            ports = ", ".join(str(port) for port in _ports(self._pod)) or "no port is declared"
            self.said.failed.append(f"get pods/proxy {self._namespace}: {self._name} answers on no port ({ports})")

    def exec(self) -> None:
        """Commands that only read, in each container that runs and may serve."""
        from askew.collectors.probes import PROBES, argv, text_of

        for container, status in _containers(self._pod):
            declared = _spec(self._pod, container)
            if "running" not in mapping_at(status, "state"):
                continue
            vendors = _vendors(declared)
            launch = [
                word for field in ("command", "args") for word in list_at(declared, field) if isinstance(word, str)
            ]
            failed = len(self.said.failed)
            for probe in PROBES:
                words = argv(probe, launch) if not probe.vendor or probe.vendor in vendors else ()
                if not words or len(self.said.failed) > failed:
                    continue
                ask = partial(self._run, container, words, probe.seconds, probe.limit)
                output = self._try("create", "pods/exec", f"{probe.name} in {container}", ask)
                if output.strip():
                    self._text(f"{self._source}/{container}/exec/{probe.name}", text_of(probe, output, self._redactor))

    def _run(self, container: str, words: tuple[str, ...], seconds: float, limit: int) -> bytes:
        from askew.collectors.k8s.websocket import run

        return run(self._server, self._path, container, words, seconds=seconds, limit=limit).output

    def proxied(self, path: str) -> bytes:
        """What the pod answers to a GET. Raises RequestError."""
        target = f"{self._path}{path}"
        return self._server.get(target, accept="*/*", limit=MAX_BYTES, seconds=_SECONDS, attempts=1, through=True)

    def _text(self, source: str, text: str) -> None:
        if text.strip():
            self.said.texts.append(Text(source=source, text=text))

    def _may(self, verb: str, resource: str) -> bool:
        return f"{verb} {resource} {self._namespace}" not in self._denied

    def refuse(self, verb: str, resource: str) -> None:
        """Note that a right is missing."""
        line = f"{verb} {resource} {self._namespace}"
        if line not in self._denied:
            self._denied.add(line)
            self.said.denied.append(line)

    def _try(self, verb: str, resource: str, what: str, do: Callable[[], bytes]) -> bytes:
        """What came; nothing where it may not be asked, or did not answer, which is noted."""
        if not self._may(verb, resource):
            return b""
        try:
            return do()
        except RequestError as failed:
            if isinstance(failed, DeadlineError):
                raise
            if failed.status == 403:
                self.refuse(verb, resource)
            elif failed.status != 404:
                line = f"{verb} {resource} {self._namespace}: {what} of {self._name}: {failed.message}"
                self.said.failed.append(line)
            return b""


class _Proxied:
    """Carries the questions of ``collectors.asking`` through the API server to one port of a pod."""

    def __init__(self, visit: _Visit, port: int) -> None:
        self._visit = visit
        self._port = port

    def get(self, question: Ask) -> Reply:
        """One question. Never raises for what is answered."""
        if question.body:
            return Reply(status=405, fault="only GET goes through the API server")
        try:
            body = self._visit.proxied(f":{self._port}/proxy{question.path}")
        except RequestError as failed:
            if failed.status == 403 and "pods/proxy" in failed.message:
                self._visit.refuse("get", "pods/proxy")
                return Reply(status=403, fault="get on pods/proxy is needed", over=True)
            if isinstance(failed, DeadlineError):
                return Reply(status=0, fault=failed.message, over=True)
            if failed.status in (502, 503, 504) and "trying to reach service" in failed.message:
                return Reply(status=0, fault=failed.message, over=True)
            return Reply(status=failed.status, fault=failed.message if failed.status in (0, 200, 413) else "")
        return Reply(status=200, body=body)


def _containers(pod: Plain) -> Iterator[tuple[str, Plain]]:
    """Containers that may serve, with their status: those with accelerators, else all but sidecars."""
    declared = [one for one in list_at(pod, "spec", "containers") if isinstance(one, dict)]
    own = [one for one in declared if text_at(one, "name") not in _SIDECARS]
    serving = [one for one in own if _vendors(one)] or own
    statuses = {text_at(one, "name"): one for one in list_at(pod, "status", "containerStatuses")}
    for one in serving:
        status = statuses.get(text_at(one, "name"))
        if isinstance(status, dict):
            yield text_at(one, "name"), status


def _spec(pod: Plain, container: str) -> Plain:
    for one in list_at(pod, "spec", "containers"):
        if isinstance(one, dict) and text_at(one, "name") == container:
            return one
    return {}


def _vendors(container: Plain) -> set[str]:
    """Who made the accelerators of a container; all, where devices are claimed, which does not tell."""
    if list_at(container, "resources", "claims"):
        return set(_VENDORS.values())
    limits = mapping_at(container, "resources", "limits")
    return {vendor for name in limits if (vendor := _VENDORS.get(name.partition("/")[0])) is not None}


def _ports(pod: Plain) -> list[int]:
    """Where an engine may listen: ports of probes first, then those declared."""
    probed: list[int] = []
    listed: list[int] = []
    for name, _ in _containers(pod):
        declared = _spec(pod, name)
        named = {text_at(each, "name"): _port(each, "containerPort") for each in list_at(declared, "ports")}
        for probe in ("readinessProbe", "startupProbe", "livenessProbe"):
            get = mapping_at(declared, probe, "httpGet")
            probed.append(_port(get, "port") or named.get(text_at(get, "port"), 0))
        listed.extend(named.values())
    return [port for port in dict.fromkeys((*probed, *listed)) if 0 < port < 65536][:_MOST_PORTS]


def _port(value: object, field: str) -> int:
    port = value.get(field) if isinstance(value, dict) else None
    return port if isinstance(port, int) and not isinstance(port, bool) else 0


def _restarts(status: Plain) -> bool:
    count = status.get("restartCount")
    return isinstance(count, int) and count > 0


def _ready(pod: Plain) -> bool:
    return any(
        text_at(each, "type") == "Ready" and text_at(each, "status") == "True"
        for each in list_at(pod, "status", "conditions")
    )


def _deleted(pod: Plain) -> bool:
    return bool(text_at(pod, "metadata", "deletionTimestamp"))
