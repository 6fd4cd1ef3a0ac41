"""How a process is started, whatever platform starts it.

Platforms produce launches, engines read them; neither needs to know the other.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

import msgspec

from askew.evidence.location import Location


class Token(msgspec.Struct, frozen=True):
    """One word of an argument vector, after every expansion that could be done.

    ``unknown`` says why the text is not final (``expanded at run time from $(nvidia-smi -L)``); the unexpanded
    part then still stands in ``text``. ``via`` names what supplied the text when it is not where the token
    stands: the location of the ConfigMap entry or the variable behind ``$(MAX_LEN)``.
    """

    text: str
    location: Location
    unknown: str | None = None
    via: tuple[Location, ...] = ()


class Variable(msgspec.Struct, frozen=True):
    """One environment variable. ``value`` is None when it could not be seen; ``unknown`` then says why."""

    name: str
    value: str | None
    location: Location
    unknown: str | None = None
    via: tuple[Location, ...] = ()


class Content(msgspec.Struct, frozen=True):
    """The text of a file that the process can read: a mounted ConfigMap entry, a heredoc written by the script.

    ``unknown`` maps each part of ``text`` that could not be expanded (``$(hostname -i)``) to the reason.
    """

    text: str
    location: Location
    unknown: Mapping[str, str] = {}

    def place(self, line: int, column: int | None = None) -> Location:
        """The place of a line of the text, and of a column in it, both counted from 0.

        A file of its own begins at its first line; an entry of an object, or a heredoc, begins below its place.
        """
        here = self.location
        if not here.line:
            return here
        if here.path or here.object:
            return msgspec.structs.replace(here, line=here.line + 1 + line)
        return msgspec.structs.replace(
            here, line=here.line + line, column=here.column if column is None else column + 1
        )

    def at(self, mark: object) -> Location:
        """The place of a mark of PyYAML, or the beginning for none; the end of a text is on its last line of words."""
        line, column = getattr(mark, "line", 0), getattr(mark, "column", 0)
        last = self.text.rstrip().count("\n")
        return self.place(line, column) if line <= last else self.place(last, len(self.text.splitlines()[last]))


class Launch(msgspec.Struct, frozen=True):
    """One process that a container, unit or shell starts.

    ``argv`` is empty when the image's own entrypoint runs without arguments; ``implicit_entrypoint`` is true when
    ``argv`` holds only arguments for the image's entrypoint (Kubernetes ``args`` without ``command``).
    ``files`` maps absolute paths in the container to their content, as far as a source shows it.
    ``conditional``: a script starts it only in some cases, and no source shows which. ``problems`` say, with
    their place, what of the script could not be read; every process of one script has the same. ``release`` is what the
    running engine says that it is; it decides over the image.
    """

    argv: tuple[Token, ...]
    location: Location
    image: Token | None = None
    implicit_entrypoint: bool = False
    env: Mapping[str, Variable] = {}
    files: Mapping[str, Content] = {}
    container: str = ""
    working_dir: str = ""
    conditional: bool = False
    problems: tuple[str, ...] = ()
    release: str = ""

    def file(self, path: str) -> Content | None:
        """The file that the process means by a path, where a source shows it."""
        joined = posixpath.join(self.working_dir or "/", path)
        return self.files.get(posixpath.normpath(path)) or self.files.get(posixpath.normpath(joined))
