"""Live objects to workloads, with what only a cluster's API gives: logs, answers through the pod proxy, and refusals.

Everything that a saved dump holds too is read by ``platforms.kubernetes``, so that both say the same. Names of texts
and answers are those of the collector: ``k8s://CONTEXT/NAMESPACE/pods/POD/CONTAINER/log``,
``k8s://CONTEXT/NAMESPACE/pods/POD:PORT/proxy/PATH``, ``k8s://CONTEXT/NAMESPACE/pods/POD/CONTAINER/exec/PROBE``,
``k8s://CONTEXT#denied``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from askew.evidence.document import Document
from askew.evidence.told import Kind, Told
from askew.platforms.interface import PlatformReading, SourceText, Unread
from askew.platforms.kubernetes.objects import Denied
from askew.platforms.kubernetes.read import read as read_objects
from askew.resolve.workload import Workload

_DENIED = "#denied"
_METRICS = "/metrics"
_LOG = re.compile(
    r"k8s://[^\n]*/(?P<namespace>[^/\n]+)/pods/(?P<pod>[^/:\n]+)/(?P<container>[^/\n]+)/log(?P<query>\?[^\n]*)?"
)
_EXEC = re.compile(r"k8s://[^\n]*/(?P<namespace>[^/\n]+)/pods/(?P<pod>[^/:\n]+)/(?P<container>[^/\n]+)/exec/[\w-]+")
_PROXY = re.compile(
    r"k8s://[^\n]*?/(?P<namespace>[^/\n]+)/pods/(?P<pod>[^/:\n]+)(?::(?P<port>\d+))?/proxy(?P<path>/[^\n]*)"
)


def read(documents: Sequence[Document], texts: Sequence[SourceText]) -> PlatformReading:
    """The workloads among live objects. Pure, and never raises for what the objects hold."""
    objects = [one for one in documents if _PROXY.fullmatch(one.source) is None]
    found = read_objects(objects, _denied(texts))
    said: dict[tuple[str, str], list[Told]] = {}
    for key, one in (*_answers(documents), *_texts(texts)):
        said.setdefault(key, []).append(one)
    workloads = tuple(_told(workload, said) for workload in found.workloads)
    ran: dict[tuple[str, str], dict[str, list[SourceText]]] = {}
    for text in texts:
        if (match := _EXEC.fullmatch(text.source)) is not None:
            pod = ran.setdefault((match["namespace"], match["pod"]), {})
            pod.setdefault(match["container"], []).append(text)
    if ran:
        from askew.platforms.cluster import inside

        workloads = tuple(inside.of_workload(workload, ran) for workload in workloads)
    unread = (Unread(at, problem.message) for problem in found.problems for at in problem.locations[:1])
    return PlatformReading(workloads=workloads, unread=tuple(unread))


def _denied(texts: Sequence[SourceText]) -> Iterator[Denied]:
    """Lines such as ``list nodes`` and ``list secrets prod``."""
    for one in texts:
        if one.source.startswith("k8s:") and one.source.endswith(_DENIED):
            for line in one.text.splitlines():
                verb, title, *namespace = (*line.split(), "", "")
                if title:
                    yield Denied(verb, title, namespace[0])


def _answers(documents: Sequence[Document]) -> Iterator[tuple[tuple[str, str], Told]]:
    for one in documents:
        match = _PROXY.fullmatch(one.source)
        if match is not None:
            told = Told(kind="answer", name=match["path"], source=one.source, document=one, replica=match["pod"])
            yield (match["namespace"], match["pod"]), told


def _texts(texts: Sequence[SourceText]) -> Iterator[tuple[tuple[str, str], Told]]:
    """Logs and answers. The log of a run before speaks only for a container that has written none since."""
    logs = [match for one in texts if (match := _LOG.fullmatch(one.source)) is not None]
    current = {(match["namespace"], match["pod"], match["container"]) for match in logs if not _before(match)}
    for one in texts:
        if (match := _LOG.fullmatch(one.source)) is not None:
            if _before(match) and (match["namespace"], match["pod"], match["container"]) in current:
                continue
            pod, container = match["pod"], match["container"]
            told = Told(kind="log", name="log", source=one.source, text=one.text, replica=pod, container=container)
        elif (match := _PROXY.fullmatch(one.source)) is not None:
            pod, path = match["pod"], match["path"]
            kind: Kind = "metrics" if path.partition("?")[0] == _METRICS else "answer"
            told = Told(kind=kind, name=path, source=one.source, text=one.text, replica=pod)
        else:
            continue
        yield (match["namespace"], pod), told


def _before(match: re.Match[str]) -> bool:
    return "previous=true" in (match["query"] or "")


def _told(workload: Workload, said: dict[tuple[str, str], list[Told]]) -> Workload:
    """The workload with what its pods said."""
    mine = tuple(one for replica in workload.replicas for one in said.get((workload.namespace, replica.name), ()))
    return msgspec.structs.replace(workload, told=(*workload.told, *mine)) if mine else workload
