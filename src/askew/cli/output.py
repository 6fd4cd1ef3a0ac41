"""Where a command writes bytes to: a new file, which appears when it is whole, or stdout."""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import IO

from askew.app.errors import UsageError


class Output:
    """A context: ``write`` takes bytes. A file is written under another name beside it, and gets its own at the end, so
    that no half of it is taken for a whole; when the context ends with an exception, nothing is left."""

    def __init__(self, path: str, *, force: bool) -> None:
        self._path = path
        self._force = force
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Output:
        """Open it. Raises UsageError where that cannot be, or the file exists and ``force`` was not given."""
        if self._path == "-":
            if sys.stdout.isatty():
                raise UsageError("the terminal shows no archive", "write it to a file with -o FILE, or pipe it on")
            return self
        if os.path.exists(self._path) and not self._force:
            raise UsageError(f"{self._path} exists", "--force overwrites it, -o FILE writes elsewhere")
        try:
            self._file = open(self._unfinished, "xb")  # noqa: SIM115: it is closed in __exit__
        except FileExistsError:
            hint = "an earlier run was stopped, or another one writes it now: remove it, or write elsewhere with -o"
            raise UsageError(f"{self._unfinished} exists", hint) from None
        except OSError as error:
            raise self._fault(error) from None
        return self

    def write(self, data: bytes) -> None:
        """Write on. Raises UsageError where the disk is full, BrokenPipeError where the reader has gone."""
        if self._file is None:
            sys.stdout.buffer.write(data)
            return
        try:
            self._file.write(data)
        except OSError as error:
            raise self._fault(error) from None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the file its name, or remove it."""
        if self._file is None:
            sys.stdout.buffer.flush()
            return
        try:
            self._file.close()
            if kind is None:
                os.replace(self._unfinished, self._path)
                return
        except OSError as fault:
            raise self._fault(fault) from None
        finally:
            if os.path.exists(self._unfinished):
                os.unlink(self._unfinished)

    @property
    def _unfinished(self) -> str:
        return f"{self._path}.unfinished"

    def _fault(self, error: OSError) -> UsageError:
        return UsageError(f"{self._path}: cannot be written: {error.strerror}", "choose another file with -o")
