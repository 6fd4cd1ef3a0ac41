"""What a platform's reader gives back, and what it is given besides documents.

A platform module has ``read(...) -> PlatformReading``: pure, and it never raises for what the evidence holds.
"""

from __future__ import annotations

import os.path
from typing import Protocol

import msgspec

from askew.evidence.location import Location
from askew.resolve.workload import Workload

# How the names of texts end that tell of a model: the list of a directory's files, and what a collector reduced a file
# to, after the name of that file.
MODEL_PARTS = ("/", "#tensors", "#gguf", "#pickle", "#weights", "#tokenizer", "#template", "#probes")


class Unread(msgspec.Struct, frozen=True):
    """Something that should have described a workload and could not be read as one."""

    location: Location
    reason: str


class PlatformReading(msgspec.Struct, frozen=True):
    """The workloads of some documents or texts, and what was passed over and why."""

    workloads: tuple[Workload, ...] = ()
    unread: tuple[Unread, ...] = ()


class SourceText(Protocol):
    """A text that is neither YAML nor JSON, redacted, as a collector gives it: a unit, variables, a command line."""

    @property
    def source(self) -> str:
        """The name to show in locations."""
        ...

    @property
    def text(self) -> str:
        """The text, with its line ends as read."""
        ...


def sibling(source: str, name: str) -> str:
    """The source name of a file that lies beside another: ``HEAD:a/compose.yaml`` and ``.env`` give ``HEAD:a/.env``."""
    revision, colon, path = source.rpartition(":")
    return revision + colon + os.path.normpath(os.path.join(os.path.dirname(path), name))
