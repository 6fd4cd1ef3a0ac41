"""Warnings about objects, as the cluster's events tell them: why a pod is not scheduled, was killed, is not ready.

Source: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/ and, for the core group's,
pkg/apis/core/types.go of kubernetes/kubernetes. Events are kept for an hour: that there is none says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from askew.evidence.location import Location
from askew.platforms.kubernetes.objects import Object, Objects
from askew.platforms.kubernetes.observe import text_of

_LONGEST = 240
_MOST = 5
_Key = tuple[str, str, str]
"""Namespace, kind and name."""


class Warning_(msgspec.Struct, frozen=True, kw_only=True):  # noqa: N801  # Warning is a builtin
    """One warning: when it was last given, how often, and its words."""

    last: str
    count: int
    reason: str
    text: str
    location: Location

    def __str__(self) -> str:
        often = f" ({self.count} times)" if self.count > 1 else ""
        return f"{self.reason}: {self.text}{often}" if self.text else f"{self.reason}{often}"


def warnings(about: Iterable[Object], objects: Objects) -> Sequence[Warning_]:
    """The warnings about these objects, the latest first, a few at most and none twice."""
    known = objects.once("warnings", _warnings)
    if not known:
        return ()
    found = {(one.reason, one.text): one for it in about for one in known.get((it.namespace, it.kind, it.name), ())}
    return sorted(found.values(), key=lambda one: (one.last, one.reason, one.text), reverse=True)[:_MOST]


def _warnings(objects: Objects) -> Mapping[_Key, list[Warning_]]:
    found: dict[_Key, list[Warning_]] = {}
    for group in ("", "events.k8s.io"):
        for one in objects.of(group, "Event"):
            node = one.node
            if text_of(node["type"]) != "Warning":
                continue
            about = node["involvedObject"] if node["involvedObject"].is_mapping else node["regarding"]
            namespace = text_of(about["namespace"]) or one.namespace
            words = text_of(node["message"]) or text_of(node["note"])
            text = " ".join(words.split())
            counts = (node["series"]["count"], node["count"], node["deprecatedCount"])
            times = (node["series"]["lastObservedTime"], node["lastTimestamp"], node["deprecatedLastTimestamp"])
            warning = Warning_(
                last=next((text_of(at) for at in (*times, node["eventTime"]) if text_of(at)), ""),
                count=next((number for at in counts if (number := at.integer())), 1),
                reason=text_of(node["reason"]),
                text=text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…",
                location=one.location,
            )
            found.setdefault((namespace, text_of(about["kind"]), text_of(about["name"])), []).append(warning)
    return found
