"""Where a piece of evidence was read."""

from __future__ import annotations

import msgspec


class Location(msgspec.Struct, frozen=True, order=True):
    """A place in a source.

    ``line`` and ``column`` are 1-based; 0 means that the source has no lines (a live object, a URL).
    ``path`` is a JSON path without the leading ``$.`` (``spec.containers[0].args[3]``), or empty.
    ``object`` names the Kubernetes object the path starts in (``apps/v1 Deployment prod/llm``), or is empty.
    """

    source: str
    path: str = ""
    line: int = 0
    column: int = 0
    object: str = ""

    def __str__(self) -> str:
        if self.line:
            name = self.source.removesuffix(":")  # `cmd:` is a source without a name of its own
            return f"{name}:{self.line}" + (f":{self.column}" if self.column else "")
        kind_and_name = self.object.partition(" ")[2]
        return " ".join(part for part in (self.source, kind_and_name, self.path) if part)
