"""One hop between client and engine, and how its settings become observations."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from askew.evidence.document import Node
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.knowledge.platform_defaults import changed, default_of
from askew.platforms.kubernetes.objects import Object, may_share_namespace
from askew.platforms.kubernetes.observe import observed, text_of
from askew.platforms.kubernetes.services import Address
from askew.resolve.observation import Confidence, Observation, Unknown

TOTAL = "serving.request_timeout"
SILENCE = "serving.read_timeout"
IDLE = "serving.idle_timeout"
FIRST_BYTE = "serving.first_byte_timeout"
BODY = "serving.max_body.bytes"
BUFFERING = "serving.buffering"
RETRIES = "serving.retries"
QUEUE = "serving.queue"

# A default can be changed where no manifest of the workload shows it: in the proxy's own configuration.
_PROXY_WIDE = ("unless the proxy's own configuration says otherwise",)


class Hop(msgspec.Struct, frozen=True):
    """An object that carries requests to the workload. ``implementation`` is who reads it, empty when that is not
    known; ``confidence`` how sure that is. ``part`` tells several rules of one object apart."""

    object: Object
    implementation: str = ""
    confidence: Confidence = "certain"
    part: str = ""

    @property
    def name(self) -> str:
        """``Ingress prod/llm (ingress-nginx)``."""
        one = self.object
        place = f"{one.namespace}/{one.name}" if one.namespace_declared and one.namespace else one.name
        return f"{one.kind} {place}{self.part}" + (f" ({self.implementation})" if self.implementation else "")

    @property
    def key(self) -> str:
        """The name of the hop in a map: without namespace and name, which differ between environments."""
        return (self.implementation or self.object.kind).lower()

    def says(self, fact: str, value: Value | Unknown, *at: Location, because: tuple[str, ...] = ()) -> Observation:
        """What is written at this hop."""
        return observed(fact, value, *at, hop=self.name, confidence=self.confidence, because=because)

    def default(self, fact: str, component: str, setting: str) -> Observation:
        """What the implementation does when nothing is written; a cluster's administrator may have changed it."""
        row = default_of(component, setting)
        before = changed(component, setting)
        return observed(
            fact,
            row.value,
            self.object.node["metadata"].location,
            row.citation,
            origin="platform-default",
            confidence="likely",
            hop=self.name,
            because=(*_PROXY_WIDE, before) if before else _PROXY_WIDE,
        )

    def duration(self, fact: str, node: Node, *, zero_unlimited: bool = True) -> Observation:
        """A duration as written (``90s``, ``1h``, ``15``). Zero switches a limit off unless told otherwise."""
        text = text_of(node).strip()
        if zero_unlimited and is_zero(text):
            return self.says(fact, "unlimited", node.location)
        return self.says(fact, text or Unknown("no duration is written"), node.location)

    def count_of(self, fact: str, node: Node, unit: float = 1) -> Observation:
        """A whole number times ``unit`` seconds (0.001 for milliseconds); anything else is unknown."""
        number = node.integer()
        if number is None:
            reason = "not a whole number: the proxy refuses or ignores it"
            return self.says(fact, Unknown(reason, text=text_of(node)), node.location)
        return self.says(fact, number * unit if unit != 1 else number, node.location)

    def retries(
        self, tries: Value | Unknown, on: list[str] | None, per_try: str, *at: Location, default: bool = False
    ) -> Observation:
        """The retries of this hop; ``tries`` counts the first attempt, too. No ``at`` may be empty."""
        entry: dict[str, Value] = {}
        if not isinstance(tries, Unknown):
            entry["attempts"] = tries
        if on is not None:
            entry["on"] = [*on]
        if per_try:
            entry["per_try_timeout"] = per_try
        return observed(
            RETRIES,
            tries if isinstance(tries, Unknown) else entry,
            *at,
            key=self.key,
            hop=self.name,
            origin="platform-default" if default else "explicit",
            confidence="likely" if default else self.confidence,
        )


def is_zero(text: str) -> bool:
    """Whether a duration is zero, in whatever unit."""
    digits = text.rstrip("smhund")
    try:
        return bool(digits) and float(digits) == 0
    except ValueError:
        return False


def annotation(one: Object, key: str) -> Node:
    """One annotation of an object, missing or not."""
    return one.node["metadata"]["annotations"][key]


class Destinations:
    """The names that mean the workload."""

    def __init__(self, addresses: tuple[Address, ...]) -> None:
        self.addresses = addresses

    def match(self, origin: Object, name: str, namespace: str = "") -> Address | None:
        """The address that ``name`` means when ``origin`` says it, with a namespace of its own or not."""
        for address in self.addresses:
            if address.name != name:
                continue
            if namespace:
                if address.origin.namespace == namespace or not address.origin.namespace_declared:
                    return address
            elif may_share_namespace(origin, address.origin):
                return address
        return None

    def host(self, origin: Object, host: str) -> Address | None:
        """The address that a host name of the mesh means: ``llm``, ``llm.prod``, ``llm.prod.svc.cluster.local``."""
        name, _, rest = host.partition(".")
        namespace, _, domain = rest.partition(".")
        if domain and domain != "svc" and not domain.startswith("svc."):
            return None
        return self.match(origin, name, namespace)


def words(text: str) -> list[str]:
    """Words set apart by blanks or commas."""
    return text.replace(",", " ").split()


def written(holder: Node, *names: str) -> Iterator[tuple[str, Node]]:
    """Those of the named children that have a value."""
    for name in names:
        if holder[name]:
            yield name, holder[name]
