"""Reads files, directories and standard input: only regular files, bounded, and nothing outside what was named."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable

from askew.collectors.beside import add_references, charts_and_patches
from askew.collectors.interface import Capability, Evidence, Request
from askew.collectors.reading import (
    DATA_EXTENSIONS,
    MAX_TEXT_BYTES,
    SKIPPED_DIRECTORIES,
    Reader,
    is_candidate,
    too_large,
)
from askew.evidence.redaction import Redactor
from askew.evidence.yaml import MAX_BYTES

_MAX_ENTRIES = 500_000
_MAX_FILES = 50_000
_MAX_TOTAL = 512 * 2**20
_STREAMS = ("/dev/fd/", "/proc/self/fd/", "/dev/stdin")
_SUPPORTED = (
    "Kubernetes YAML or JSON, compose files, systemd units (.service) and Podman quadlets (.container) are read"
)


class UnreadableError(Exception):
    """A file that is not read, and why."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class FilesCollector:
    """Paths as they are written: a file, a directory with everything below it, or ``-`` for standard input."""

    name = "files"
    schemes: tuple[str, ...] = ("", "file")
    capabilities: tuple[Capability, ...] = ("filesystem",)

    def collect(self, request: Request, redactor: Redactor) -> Evidence:
        """Read a path. Never raises for what lies there."""
        reader = Reader(redactor)
        target = request.target
        if target == "-":
            return _stdin(reader, request.uri)
        path = target if os.path.isabs(target) or request.base in ("", ".") else os.path.join(request.base, target)
        try:
            is_directory = stat.S_ISDIR(os.stat(path).st_mode)
        except (OSError, ValueError) as error:
            reader.fail(target, *_why(error, target))
            return reader.evidence(request.uri, "", "")
        if is_directory:
            return _directory(reader, path, target, request)
        if _holds_weights(target):
            from askew.collectors.hf.collect import HuggingFaceCollector

            return HuggingFaceCollector().collect(request, redactor)
        try:
            data = read_bytes(path)
        except UnreadableError as error:
            reader.fail(target, error.message, error.hint)
            return reader.evidence(request.uri, "", "")
        reader.add(target, data, named=True)
        folder = os.path.dirname(path)
        add_references(reader, target, lambda name: _beside(reader, folder, name), lambda name: _drop_ins(folder, name))
        return reader.evidence(request.uri, "the file holds nothing to read", _SUPPORTED)


COLLECTOR = FilesCollector()


def _holds_weights(target: str) -> bool:
    """Whether a file's name promises a model; of texts only ``hf:`` decides that."""
    if os.path.splitext(target)[1] in (*DATA_EXTENSIONS, ".txt"):
        return False
    from askew.collectors.hf.artifacts import format_of

    return bool(format_of(os.path.basename(target)))


def read_bytes(path: str, limit: int = MAX_BYTES) -> bytes:
    """The content of a regular file, or of a pipe that the shell opened (``<(helm …)``). Raises UnreadableError.

    Opened without blocking and judged by the open descriptor, so that no pipe or device can make this wait or run on.
    """
    stream = path.startswith(_STREAMS)
    try:
        descriptor = os.open(
            path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | (0 if stream else getattr(os, "O_NONBLOCK", 0))
        )
    except (OSError, ValueError) as error:
        raise UnreadableError(*_why(error, path)) from None
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):  # which Python opens no file for, and leaves the descriptor open
        os.close(descriptor)
        raise UnreadableError("expected a file, found a directory", "point at a regular file")
    with open(descriptor, "rb", buffering=0) as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) and not (stream and stat.S_ISFIFO(status.st_mode)):
            raise UnreadableError(
                f"expected a file, found {_kind(status.st_mode)}",
                "point at a regular file, or pipe the text in and write '-'",
            )
        if status.st_size > limit:
            raise UnreadableError(
                too_large(status.st_size), "point at the manifest itself, or split the file at its '---' lines"
            )
        try:
            return _read(file.read, limit)
        except OSError as error:
            raise UnreadableError(*_why(error, path)) from None


def _read(read: Callable[[int], bytes | None], limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while size <= limit:
        part = read(min(limit + 1 - size, 2**20))
        if not part:
            return b"".join(parts)
        parts.append(part)
        size += len(part)
    raise UnreadableError(
        f"there are more than {limit:,} bytes", "point at the manifest itself, or split it at its '---' lines"
    )


def _kind(mode: int) -> str:
    for test, name in (
        (stat.S_ISDIR, "a directory"),
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
        (stat.S_ISSOCK, "a socket"),
    ):
        if test(mode):
            return name
    return "something else"


def _why(error: OSError | ValueError, path: str) -> tuple[str, str]:
    """What an error of the operating system means here, and what to do."""
    if isinstance(error, ValueError):
        return "this is no path: it holds a NUL character", "give the path of a file or a directory"
    if isinstance(error, FileNotFoundError):
        if "://" in path:
            return "no such file", "addresses are not fetched: download it first, or pipe it in with '-'"
        return "no such file or directory", "check the path; it is relative to the current directory"
    if isinstance(error, PermissionError):
        return "permission denied", "run as a user who may read it, or pipe it in with '-'"
    return (error.strerror or "it cannot be read").lower(), "check the path with 'ls -l'"


def piped(hint: str) -> Callable[[int], bytes]:
    """What reads standard input, so many bytes at a time. Raises UnreadableError, with this hint, where nothing was
    piped in: a terminal would be waited for without end."""
    if sys.stdin is None or sys.stdin.isatty():
        raise UnreadableError("standard input is a terminal, nothing was piped in", hint)
    return sys.stdin.buffer.read


def read_piped(limit: int, hint: str) -> bytes:
    """All of standard input. Raises UnreadableError, with this hint."""
    try:
        return _read(piped(hint), limit)
    except OSError as error:
        raise UnreadableError((error.strerror or "it cannot be read").lower(), hint) from None


def _stdin(reader: Reader, uri: str) -> Evidence:
    try:
        data = read_piped(MAX_BYTES, "pipe a manifest in, as in: kubectl get deploy llm -o yaml | askew facts -")
    except UnreadableError as error:
        reader.fail("-", error.message, error.hint)
        return reader.evidence(uri, "", "")
    reader.add("-", data, named=True)
    return reader.evidence(uri, "standard input holds nothing to read", _SUPPORTED)


def _directory(reader: Reader, top: str, shown: str, request: Request) -> Evidence:
    prefix = "" if os.path.normpath(shown) == "." else shown.rstrip("/") + "/" if shown != "/" else "/"
    patches: set[str] = set()
    try:
        _add_all(reader, top, shown, prefix, patches)
    except KeyboardInterrupt:
        reader.stopped(request)
    if patches:
        reader.documents[:] = [d for d in reader.documents if os.path.normpath(d.source) not in patches]
    if reader.notes and not reader.documents and not reader.texts:
        reader.fail(
            shown, reader.notes[0], "render it, as the message says, or pipe the rendered manifests in with '-'"
        )
    return reader.evidence(request.uri, "no manifest lies in this directory", _SUPPORTED)


def _add_all(reader: Reader, top: str, shown: str, prefix: str, patches: set[str]) -> None:
    total = 0
    for name in _walk(reader, top, prefix):
        source = prefix + name
        try:
            data = read_bytes(os.path.join(top, name))
        except UnreadableError as error:
            reader.files += 1
            reader.fail(source, error.message, error.hint)
            continue
        total += len(data)
        if total > _MAX_TOTAL or reader.files >= _MAX_FILES:
            limit = f"{_MAX_TOTAL:,} bytes" if total > _MAX_TOTAL else f"{_MAX_FILES:,} files"
            reader.fail(
                shown, f"there are more than {limit}; the rest is not read", "point at the directory of one deployment"
            )
            break
        before = len(reader.documents)
        reader.add(source, data, named=False)
        if name.endswith(("kustomization.yaml", "kustomization.yml", "Kustomization")):
            for document in reader.documents[before:]:
                charts_and_patches(document, source, patches, reader.notes)


def _walk(reader: Reader, top: str, prefix: str) -> list[str]:
    """Paths of candidate files below ``top``, sorted. Links to directories are not followed, so there are no loops."""
    found: list[str] = []
    pending = [""]
    entries = 0
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(os.path.join(top, folder) if folder else top) as scan:
                inside = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            reader.fail(prefix + folder or ".", *_why(error, folder))
            continue
        entries += len(inside)
        if entries > _MAX_ENTRIES:
            reader.fail(
                prefix or ".",
                f"there are more than {_MAX_ENTRIES:,} entries; the rest is not looked at",
                "point at the directory of one deployment",
            )
            break
        chart = any(entry.name == "Chart.yaml" for entry in inside) and any(
            entry.name == "templates" for entry in inside
        )
        if chart:
            where = (prefix + folder).rstrip("/") or "."
            if folder:
                reader.notes.append(f"{where} is a Helm chart and is not read as it stands: use helm:{where}")
            else:
                reader.fail(where, "this is a Helm chart: its templates are no manifests yet", f"use helm:{where}")
        for entry in inside:
            name = entry.name
            path = f"{folder}/{name}" if folder else name
            try:
                is_directory = entry.is_dir(follow_symlinks=False)
            except OSError:
                continue
            if is_directory:
                if (
                    not name.startswith(".")
                    and name not in SKIPPED_DIRECTORIES
                    and not (chart and name in ("templates", "charts", "ci"))
                ):
                    pending.append(path)
            elif is_candidate(name, folder) and not (chart and (name == "Chart.yaml" or name.startswith("values"))):
                if not entry.is_symlink() or os.path.isfile(os.path.join(top, path)):
                    found.append(path)
                elif not os.path.isdir(os.path.join(top, path)):
                    found.append(path)  # a dangling link: its error is worth saying
    found.sort()
    return found


def _beside(reader: Reader, folder: str, name: str) -> bytes | None:
    path = os.path.join(folder, name)
    if not os.path.isfile(path) or os.path.islink(path):
        return None
    try:
        return read_bytes(path, MAX_TEXT_BYTES)
    except UnreadableError as error:
        reader.fail(name, error.message, error.hint)
        return None


def _drop_ins(folder: str, name: str) -> list[str]:
    try:
        with os.scandir(os.path.join(folder, name)) as scan:
            return [f"{name}/{entry.name}" for entry in scan]
    except OSError:
        return []
