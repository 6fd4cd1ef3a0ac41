"""What a running engine says of itself: an answer of its HTTP interface, its log, its metrics."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from askew.evidence.document import Document
from askew.evidence.location import Location

Kind: TypeAlias = Literal["answer", "log", "metrics"]


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that an engine said, redacted.

    ``name`` is the path that was asked (``/v1/models``; of a POST with its body behind a blank), or how a log or a dump
    of metrics is called. ``source`` is the name to show in locations: a URL, a file, an object of a cluster. JSON is in
    ``document``, everything else in ``text``. ``replica`` and ``container`` say who said it, where a workload runs in
    several pods or containers. ``at`` is when it was said, in seconds since 1970; 0 where that is not known.
    """

    kind: Kind
    name: str
    source: str
    document: Document | None = None
    text: str = ""
    replica: str = ""
    container: str = ""
    at: float = 0.0

    def line(self, number: int, column: int = 1) -> Location:
        """The place of a line of the text, counted from 1."""
        return Location(self.source, line=number, column=column)
