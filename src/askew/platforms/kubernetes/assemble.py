"""Nodes put together from others: what a controller makes of an object before the API server sees a pod.

Every part keeps the place it was written at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from askew.evidence.document import Context, Node, Text
from askew.evidence.location import Location

_MOST_DEPTH = 60


class Assembled(Node):
    """A node whose value, or whose children, are other than those at its place. ``at`` is where it stands."""

    __slots__ = ("_anchor", "_children")

    def __init__(self, value: object, at: Node, children: Mapping[str, Node] | Sequence[Node] = ()) -> None:
        super().__init__(Context(at.location.source), value)
        self._anchor = at
        self._children = children

    def __getitem__(self, key: str | int) -> Node:
        children = self._children
        if isinstance(key, str):
            if isinstance(self.value, dict) and isinstance(children, Mapping) and key in children:
                return children[key]
        elif not isinstance(children, Mapping) and -len(children) <= key < len(children):
            return children[key]
        return _Missing(self._anchor)

    def items(self) -> Iterator[tuple[str, Node]]:
        if isinstance(self._children, Mapping):
            yield from self._children.items()

    def each(self) -> Iterator[Node]:
        if not isinstance(self._children, Mapping):
            yield from self._children

    @property
    def location(self) -> Location:
        return self._anchor.location

    @property
    def key_location(self) -> Location:
        return self._anchor.key_location

    @property
    def path(self) -> str:
        return self._anchor.path

    def source_map(self) -> tuple[str, Sequence[int]] | None:
        return None

    def outer_text(self) -> tuple[str, Text, Sequence[int]] | None:
        return None

    def locate(self, fragment: str, after: Location | None = None) -> Location:
        return self._anchor.locate(fragment, after)


class _Missing(Assembled):
    """What an assembled node does not have: missing, and standing where that node does."""

    __slots__ = ()

    def __init__(self, at: Node) -> None:
        super().__init__(None, at)
        self.exists = False


def mapping(at: Node, children: Mapping[str, Node | None]) -> Node:
    """A mapping of these nodes, standing at ``at``; children that are None or missing are left out."""
    kept = {key: child for key, child in children.items() if child is not None and child.exists}
    return Assembled({key: child.value for key, child in kept.items()}, at, kept)


def sequence(at: Node, children: Sequence[Node]) -> Node:
    """A list of these nodes, standing at ``at``."""
    return Assembled([child.value for child in children], at, tuple(children))


def scalar(at: Node, value: str | int | float | bool) -> Node:
    """A value that ``at`` implies: ``repository`` and ``tag`` to one image."""
    return Assembled(value, at)


def overlaid(base: Node, *more: Mapping[str, Node | None]) -> Node:
    """``base`` with further or other children."""
    children: dict[str, Node | None] = dict(base.items())
    for one in more:
        children.update((key, child) for key, child in one.items() if child is not None)
    return mapping(base, children)


def filled(node: Node, fill: Callable[[str], str], depth: int = 0) -> Node:
    """The same node with every text below it put through ``fill``; the node itself where nothing changes."""
    value = node.value
    if isinstance(value, str):
        text = fill(value) if "{{" in value else value
        return node if text == value else Assembled(text, node)
    if depth > _MOST_DEPTH:
        return node
    if isinstance(value, dict):
        children = {key: filled(child, fill, depth + 1) for key, child in node.items()}
        if all(child.value is value[key] for key, child in children.items()):
            return node
        return mapping(node, dict(children))
    if isinstance(value, list):
        items = [filled(child, fill, depth + 1) for child in node.each()]
        if all(child.value is one for child, one in zip(items, value, strict=True)):
            return node
        return sequence(node, items)
    return node
