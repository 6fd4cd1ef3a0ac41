"""What an extractor provides: where the releases of an engine are published, and what reads the text of one.

``tools/engines/extract_<engine>.py`` has a module-level ``READER``; ``tools.engines.releases`` finds it by its file.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import msgspec

Things: TypeAlias = dict[str, dict[str, object]]  # name → state
# Kind → things. Kinds are the keys of ``KINDS``; one that is left out is empty.
Content: TypeAlias = Mapping[str, Things]
KINDS = ("arguments", "variables", "metrics", "requests", "packages", "rules")


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """Releases of a Python package, read from the text of its source distribution or wheel.

    ``oldest`` is the first release that is read. ``also`` is a regular expression of names of text files beside
    Python ones and Dockerfiles. ``minors``: of each minor release only the last patch is read. ``release`` is a regular
    expression that a whole version matches, with the release of the engine as its first group.
    """

    name: str
    oldest: str
    also: str = ""
    minors: bool = False
    release: str = "(.+)"

    @property
    def address(self) -> str:
        """Where a person finds the releases."""
        return f"https://pypi.org/project/{self.name}/#history"


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """Another repository whose text belongs to a release. ``branch`` tells its branch or tag from the folder of the
    release, or an empty text where it has none. Its text lies where ``beside`` says."""

    slug: str
    paths: tuple[str, ...]
    branch: Callable[[pathlib.Path], str]


def beside(root: pathlib.Path, other: Beside) -> pathlib.Path:
    """The folder with the text of another repository for the release whose text is in ``root``."""
    return root.parents[1] / other.slug.replace("/", "+") / (other.branch(root) or "none")


class Repository(msgspec.Struct, frozen=True, kw_only=True):
    """Releases that are tags of a public git repository.

    ``slug`` is ``owner/name`` at GitHub. ``tags`` is a regular expression that a whole tag matches, with the release as
    its first group. ``paths`` are the files and folders whose text is read, ``others`` what other repositories add.
    """

    slug: str
    oldest: str
    tags: str
    paths: tuple[str, ...]
    others: tuple[Beside, ...] = ()

    @property
    def address(self) -> str:
        """Where a person finds the releases."""
        return f"https://github.com/{self.slug}/tags"


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """How the releases of one engine are read. ``read`` gets the folder with the text of one release.

    Where the engine is published in several places, ``further`` are read after ``source``. ``stable`` finds the
    defaults that never changed where the names of arguments alone do not tell them. ``elsewhere`` are the files, as
    ``rglob`` has them, in which a variable may be read that ``read`` no longer finds: one that only moved is not gone.
    """

    engine: str
    source: Package | Repository
    read: Callable[[pathlib.Path], Content]
    further: tuple[Package | Repository, ...] = ()
    stable: Callable[[Sequence[str], Sequence[Content]], dict[str, object]] | None = None
    elsewhere: str = ""

    @property
    def address(self) -> str:
        """Where a person finds the releases."""
        return ", ".join(one.address for one in (self.source, *self.further))
