"""Models in object stores, on web servers and on the Hub, read where they lie through fsspec.

The small files that describe a model are copied into a directory that is deleted afterwards, for the code that reads
directories; of files of weights only the parts that are asked for are fetched. Credentials are those that the store's
own library finds (``~/.aws``, application default credentials, ``HF_TOKEN``): none is read or kept here.
Source: https://filesystem-spec.readthedocs.io/en/latest/api.html
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from typing import Any, BinaryIO, cast

import msgspec

# What a URL may begin with, and the package that speaks with such a store.
STORES: Mapping[str, str] = {
    "s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs", "abfss": "adlfs",
    "hf": "huggingface_hub", "https": "aiohttp", "http": "aiohttp", "webhdfs": "requests", "dbfs": "requests",
    "oss": "ossfs", "memory": "fsspec",
}  # fmt: skip
_MOST_NAMES = 10_000
_LARGEST_COPY = 128 * 2**20  # bytes of one small file
_LARGEST_COPIES = 512 * 2**20
_BLOCK = 1 * 2**20
_ABSENT = "check the address, and that this user may list it"


class StoreError(OSError):
    """A store that did not give what was asked for; ``strerror`` says why, ``hint`` what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(0, message)
        self.hint = hint


class Entry(msgspec.Struct, frozen=True):
    """One file of a store: its name under the directory, its address, its size in bytes and what tells its content
    from another (an ETag, a generation, a time)."""

    name: str
    url: str
    size: int
    version: str


class Listing(msgspec.Struct, frozen=True):
    """The files under an address. ``file``: the address is one file itself, of this name."""

    entries: Mapping[str, Entry]
    file: str = ""


def address(target: str) -> str:
    """``target`` where it is the address of something in a store, else empty."""
    scheme, separator, _ = target.partition("://")
    return target if separator and scheme in STORES else ""


def listing(url: str) -> Listing:
    """The files of a directory, two folders deep, or the one file that the address names. Raises StoreError."""
    with _told(url):
        store, root = _store(url)
        prefix = url[: url.rindex(root)] if root and root in url else url.partition("://")[0] + "://"
        found = dict(store.find(root, maxdepth=2, detail=True))
        if len(found) > _MOST_NAMES:
            found = dict(sorted(found.items())[:_MOST_NAMES])
        if not found:
            raise StoreError("nothing lies there", _ABSENT)
        top = root.rstrip("/")
        entries: dict[str, Entry] = {}
        for path, info in found.items():
            name = path.removeprefix(top).lstrip("/")
            single = not name
            name = name or path.rpartition("/")[2]
            size = info.get("size")
            if not isinstance(size, int):
                size = int(store.info(path).get("size") or 0)
            address = path if "://" in path else prefix + path
            entries[name] = Entry(name, address, size, _version(info))
            if single:
                return Listing({name: entries[name]}, name)
        return Listing(entries)


@contextmanager
def copied(entries: Sequence[Entry], progress: Callable[[str], None] | None = None) -> Iterator[str]:
    """A directory with copies of small files, deleted when it is left. What is too large is left out. Raises
    StoreError."""
    with tempfile.TemporaryDirectory(prefix="askew-") as folder:
        room = _LARGEST_COPIES
        for entry in entries:
            if entry.size > _LARGEST_COPY or entry.size > room:
                continue
            room -= entry.size
            path = os.path.join(folder, *entry.name.split("/"))
            if os.path.commonpath((os.path.realpath(path), os.path.realpath(folder))) != os.path.realpath(folder):
                continue  # a store may call a file ../../name
            if progress is not None:
                progress(f"fetching {entry.name}")
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(read(entry.url, 0, min(entry.size, _LARGEST_COPY)))
        yield folder


def read(url: str, begin: int, end: int) -> bytes:
    """A part of a file. Raises StoreError."""
    if end <= begin:
        return b""
    with _told(url):
        store, path = _store(url)
        data = bytes(store.cat_file(path, start=begin, end=end))
    if len(data) > end - begin:  # a server without ranges sends the whole file
        data = data[begin:end] if len(data) >= end else data[: end - begin]
    return data


@contextmanager
def opened(entry: Entry) -> Iterator[tuple[BinaryIO, Status]]:
    """A file to read and seek in, and its size and version as a status. Raises StoreError."""
    with io.BufferedReader(_Ranges(entry), _BLOCK) as file:
        yield cast(BinaryIO, file), status(entry)


class Status(msgspec.Struct, frozen=True):
    """What a system would say of a file: its inode stands for the version of its content."""

    st_size: int
    st_mtime_ns: int
    st_ctime_ns: int
    st_ino: int
    st_dev: int = 0


def status(entry: Entry) -> Status:
    """The status of a file; where the store tells no version, as new as now, so that nothing of it is remembered."""
    inode = int.from_bytes(hashlib.sha256(entry.version.encode()).digest()[:7], "big")
    written = 0 if entry.version else time.time_ns()
    return Status(entry.size, written, written, inode)


def unchanged(url: str, size: int) -> bool:
    """Whether a file still has the size that was listed. Raises StoreError."""
    with _told(url):
        store, path = _store(url)
        now = store.info(path).get("size")
    return now is None or now == size


class _Ranges(io.RawIOBase):
    """A file of a store as bytes that are fetched when they are read."""

    def __init__(self, entry: Entry) -> None:
        self._entry = entry
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._entry.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        end = min(self._at + len(buffer), self._entry.size)
        data = read(self._entry.url, self._at, end)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def _version(info: Mapping[str, Any]) -> str:
    """What a store says of a file's content, in the words of S3, Google's and Azure's stores and the Hub."""
    named = ("ETag", "etag", "generation", "md5Hash", "content_settings", "blob_id", "lfs", "LastModified", "mtime")
    return " ".join(f"{name}={info[name]}" for name in named if info.get(name) is not None)


@cache
def _filesystem(protocol: str) -> Any:
    return import_module("fsspec").filesystem(protocol)


def _store(url: str) -> tuple[Any, str]:
    store = _filesystem(url.partition("://")[0])
    return store, store._strip_protocol(url)


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Libraries of stores raise what they like: each becomes an error that says what to do."""
    scheme = url.partition("://")[0]
    try:
        yield
    except StoreError:
        raise
    except ImportError:
        package = STORES.get(scheme, "fsspec")
        hint = f"pip install 'askew[remote]' {package}"
        raise StoreError(f"reading {scheme}:// needs fsspec and {package}, which are not installed", hint) from None
    except FileNotFoundError:
        raise StoreError("no such file or directory in the store", _ABSENT) from None
    except PermissionError as error:
        raise StoreError(
            f"the store refuses: {_brief(error)}", "log in with the store's own tool, as this user"
        ) from None
    except Exception as error:
        name = type(error).__name__
        if "Credential" in name or "Auth" in name or "Token" in name:
            message, hint = f"the store knows no credentials of this user ({name})", "log in with the store's own tool"
        else:
            message, hint = f"the store did not answer: {name}: {_brief(error)}", "try it with the store's own tool"
        raise StoreError(message, hint) from None


def _brief(error: Exception) -> str:
    text = ""
    with suppress(Exception):
        text = " ".join(str(error).split())
    return text[:200] or type(error).__name__
