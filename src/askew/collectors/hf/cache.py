"""What earlier runs hashed, kept in the user's cache directory, so that an interrupted or repeated run reads less.

One small file per file of weights and mode. It counts only for the same path, size, times, inode and list of tensors;
one that cannot be read or written is as good as none. A file that was written in the last two seconds is not
remembered: some file systems keep times that coarsely, and a further write would not show.
Where: ``$XDG_CACHE_HOME/askew`` or ``~/.cache/askew``
(https://specifications.freedesktop.org/basedir-spec/latest/).
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from askew.collectors.hf.tensors import Status, Tensor

_FRESH_NS = 2 * 10**9
_LARGEST = 256 * 2**20  # bytes of an entry


class _Entry(msgspec.Struct, frozen=True):
    key: str
    digests: dict[int, str]


class Known:
    """The digests of the tensors of one file, by their place in its list, and where they are kept."""

    def __init__(self, path: str = "", key: str = "") -> None:
        self.digests: dict[int, str] = {}
        self._path, self._key = path, key
        self._saved = 0
        if path:
            with suppress(OSError, msgspec.DecodeError, RecursionError):
                with open(path, "rb") as file:
                    entry = msgspec.json.decode(file.read(_LARGEST), type=_Entry)
                if entry.key == key:
                    self.digests = dict(entry.digests)
                    self._saved = len(self.digests)

    def save(self) -> None:
        """Keep what is known; whoever reads it meanwhile sees the old file or the new one."""
        if not self._path or len(self.digests) == self._saved:
            return
        draft = f"{self._path}.{os.getpid()}"
        with suppress(OSError):
            os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
            with open(draft, "wb") as file:
                file.write(msgspec.json.encode(_Entry(self._key, self.digests)))
            os.replace(draft, self._path)
            self._saved = len(self.digests)


def known(path: str, status: Status, tensors: Sequence[Tensor], algorithm: str) -> Known:
    """What is known of a file that lies at ``path``."""
    if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) < _FRESH_NS:
        return Known()
    layout = hashlib.sha256(msgspec.json.encode(tensors)).hexdigest()
    stamp = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev)
    key = f"1 {algorithm} {' '.join(map(str, stamp))} {layout}"
    name = hashlib.sha256(os.fsencode(path) + b"\0" + algorithm.encode()).hexdigest()
    return Known(os.path.join(_folder(), "weights", f"{name}.json"), key)


def _folder() -> str:
    given = os.environ.get("XDG_CACHE_HOME", "")
    return os.path.join(given if os.path.isabs(given) else os.path.expanduser("~/.cache"), "askew")
