"""What changed when, by the times that evidence holds: objects made and edited, revisions, containers, events."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from askew.collectors.interface import Evidence
from askew.evidence.document import Document, Node
from askew.evidence.packing import Clean, line

_MOST = 100_000
_MOST_NODES = 20_000_000
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:?\d\d)")
_REVISIONS = ("deployment.kubernetes.io/revision", "kubectl.kubernetes.io/restartedAt")
# Times that move all the time and tell no change, and those that an entry of its own tells with more words.
_PASSED_OVER = frozenset(
    ("lastProbeTime", "lastHeartbeatTime", "lastUpdateTime", "renewTime", "observedAt", "lastScheduleTime",
     "acquireTime", "managedFields", "lastTimestamp", "firstTimestamp", "eventTime")
)  # fmt: skip
_SAID = {
    "creationTimestamp": "created", "deletionTimestamp": "marked for deletion", "startTime": "started",
    "startedAt": "container started", "finishedAt": "container ended", "lastTransitionTime": "condition changed",
    "restartedAt": "restart asked for", "lastScaleTime": "scaled", "first_deployed": "first deployed",
    "last_deployed": "deployed", "deployedAt": "deployed",
}  # fmt: skip
_LONGEST = 300


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One change. ``time`` is RFC 3339 in UTC; ``source``, ``object`` and ``path`` say where it is told."""

    time: str
    what: str
    object: str = ""
    detail: str = ""
    source: str = ""
    path: str = ""
    line: int = 0


class Timeline:
    """Gathers the entries of all parts; what is beyond the limit is counted, not kept."""

    def __init__(self) -> None:
        self._entries: set[tuple[str, ...]] = set()
        self._found: list[Entry] = []
        self._left_out = 0

    def add(self, part: Evidence, clean: Clean) -> None:
        """Take what the documents of a part tell. ``clean`` is put on every text that is shown."""
        for document in part.documents:
            for entry in _entries(document):
                cleaned = msgspec.structs.replace(
                    entry,
                    object=clean(entry.object),
                    detail=clean(entry.detail)[:_LONGEST],
                    source=clean(entry.source),
                    path=clean(entry.path),
                )
                same = (entry.time, entry.what, entry.object, entry.detail)
                if same in self._entries:
                    continue
                if len(self._found) >= _MOST:
                    self._left_out += 1
                    continue
                self._entries.add(same)
                self._found.append(cleaned)

    def _sorted(self) -> list[Entry]:
        return sorted(self._found, key=lambda one: (one.time, one.object, one.what, one.detail, one.source, one.path))

    def json(self) -> bytes:
        """The entries in order of time."""
        told: dict[str, object] = {"entries": self._sorted(), "left_out": self._left_out}
        return msgspec.json.format(line(told), indent=1) + b"\n"

    def text(self) -> bytes:
        """The entries in order of time, one in a line."""
        rows = [
            "  ".join(filter(None, (entry.time, entry.what, entry.object or entry.source, entry.detail)))
            for entry in self._sorted()
        ]
        if not rows:
            rows = ["no evidence here tells a time"]
        if self._left_out:
            rows.append(f"and {self._left_out} more")
        return ("\n".join(row.replace("\n", " ") for row in rows) + "\n").encode("utf-8", "backslashreplace")


def _entries(document: Document) -> Iterator[Entry]:
    """The changes that a document tells; the objects of a list, each by itself."""
    root = document.root
    items = root["items"]
    objects = list(items.each()) if items.is_sequence and str(root["kind"].value).endswith("List") else [root]
    room = _MOST_NODES
    for one in objects:
        name = _name(one)
        if one["kind"].value == "Event" and (event := _event(one)) is not None:
            yield event
            continue
        yield from _edits(one, name)
        stack = [one]
        while stack and room > 0:
            node = stack.pop()
            room -= 1
            for child in node.each():
                if isinstance(child.value, (dict, list)):
                    stack.append(child)
            for key, child in node.items():
                if key in _PASSED_OVER:
                    continue
                if isinstance(child.value, (dict, list)):
                    stack.append(child)
                elif isinstance(child.value, str) and (moment := _moment(child.value)):
                    yield _entry(child, moment, _what(key), name, _detail(key, node))


def _edits(one: Node, name: str) -> Iterator[Entry]:
    """Who edited what: managed fields tell the last time of each manager.
    https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management"""
    for field in one.get("metadata", "managedFields").each():
        when = field["time"]
        if isinstance(when.value, str) and (moment := _moment(when.value)):
            part = f" {field['subresource'].value}" if field["subresource"] else ""
            detail = f"by {field['manager'].value} ({field['operation'].value}{part})"
            yield _entry(when, moment, "edited", name, detail)


def _event(one: Node) -> Entry | None:
    """An event of Kubernetes, at the last time it was seen."""
    about = one["involvedObject"] if one["involvedObject"] else one["regarding"]
    for key in ("lastTimestamp", "deprecatedLastTimestamp", "eventTime", "firstTimestamp"):
        node = one[key]
        if isinstance(node.value, str) and (moment := _moment(node.value)):
            name = "/".join(str(about[part].value) for part in ("namespace", "kind", "name") if about[part])
            count = one["count"].integer() or 1
            times = f" ({count} times)" if count > 1 else ""
            said = one["message"].text() or one["note"].text() or ""
            return _entry(node, moment, f"event {one['reason'].value}{times}", name, said)
    return None


def _what(key: str) -> str:
    if key in _SAID:
        return _SAID[key]
    name = key.rpartition("/")[2]
    return _SAID.get(name, name)


def _detail(key: str, node: Node) -> str:
    """What stands beside a time and says what it is about."""
    beside = {
        "creationTimestamp": ("annotations",),
        "startedAt": ("reason", "exitCode"), "finishedAt": ("reason", "exitCode", "message"),
        "lastTransitionTime": ("type", "status", "reason", "message"),
        "last_deployed": ("status", "description"),
    }.get(key, ())  # fmt: skip
    words: list[str] = []
    for name in beside:
        if name == "annotations":
            revision = node[name][_REVISIONS[0]]
            words.extend([f"revision {revision.text()}"] if revision else [])
        elif (text := node[name].text()) is not None:
            words.append(f"exit {text}" if name == "exitCode" else text)
    return " ".join(words)


def _entry(node: Node, moment: str, what: str, name: str, detail: str) -> Entry:
    at = node.location
    return Entry(
        time=moment, what=what, object=name or at.object, detail=detail, source=at.source, path=at.path, line=at.line
    )


def _name(one: Node) -> str:
    metadata = one["metadata"]
    if not metadata["name"] or not one["kind"]:
        return ""
    return "/".join(
        str(part.value) for part in (metadata["namespace"], one["kind"], metadata["name"]) if part and part.exists
    )


def _moment(text: str) -> str:
    """An RFC 3339 time in UTC, to the second; empty for anything else."""
    match = _TIME.fullmatch(text)
    if match is None:
        return ""
    from datetime import UTC, datetime

    zone = match[2] if match[2] == "Z" or ":" in match[2] else f"{match[2][:3]}:{match[2][3:]}"
    try:
        return (
            datetime.fromisoformat(match[1] + zone.replace("Z", "+00:00"))
            .astimezone(UTC)
            .strftime("%Y-%m-%dT%H:%M:%SZ")
        )
    except (ValueError, OverflowError):
        return ""
