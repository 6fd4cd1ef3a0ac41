"""Weights read and hashed: the text that hands the digests on, and the errors of what could not be read."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from typing import TypeAlias

import msgspec

from askew.collectors.hf.cache import Known, known
from askew.collectors.hf.fingerprint import (
    LARGEST,
    ChangedError,
    Fingerprint,
    Hash,
    Line,
    algorithm,
    digest_of,
    hasher,
)
from askew.collectors.hf.tensors import Mode, WeightFile
from askew.collectors.reading import Reader

_MOST_THREADS = 32
_PATIENCE = 15  # seconds until a scheduler has to answer
_MOST_PARTS = 512
_NUMBERED = re.compile(r".*?\.\d+(?=\.|$)")
_AGAIN = "let whatever writes the file end, and run again: what was read is remembered"


# What hashes, how much of it works at once, and what it raises where a file cannot be read.
_Workers: TypeAlias = tuple[Executor, int, tuple[type[Exception], ...]]


class Weights(msgspec.Struct, frozen=True):
    """Digests of the weights as a whole and of each file; of a file without one, why it has none. ``parts`` has the
    digest of each tensor or, of a model with many, of those of each layer: which of them differ, it tells."""

    digest: str
    files: Mapping[str, str]
    broken: Mapping[str, str]
    parts: Mapping[str, str] = {}


def weights_text(
    reader: Reader,
    files: Sequence[WeightFile],
    broken: Mapping[str, str],
    shown: str,
    mode: Mode,
    remember: bool,
    progress: Callable[[str], None] | None,
    where: str = "",
    hash: Hash = "sha256",
) -> str:
    """``Weights`` as JSON; empty where no file of weights is there. ``broken``: files that are known to be of no use,
    and why. A file that cannot be read to its end is an error of ``reader``. ``where``: a Dask scheduler whose workers
    hash, ``dask://host:port``; this machine where it is empty. ``hash``: what a leaf is hashed with."""
    if not files and not broken:
        return ""
    try:
        hasher(hash)
    except ImportError:
        reader.fail(
            f"hash={hash}", "the library blake3 is not installed", "pip install 'askew[blake3]', or leave hash= out"
        )
        return ""
    trouble = dict(broken)
    small = []
    for file in files:
        if file.status.st_size > LARGEST:
            trouble[file.name] = f"the file has {file.status.st_size:,} bytes; at most {LARGEST:,} are read"
            reader.fail(f"{shown}/{file.name}", trouble[file.name], "compare it without ?digest=")
        else:
            small.append(file)

    def remembered(file: WeightFile) -> Known:
        return known(file.path, file.status, file.tensors, algorithm(mode, hash)) if remember else Known()

    try:
        with _dask(where) if where else _threads() as (executor, workers, failures):
            outcomes = Fingerprint(executor, workers, mode, remembered, progress, failures, hash).of(small)
    except _NoExecutorError as error:
        reader.fail(where, str(error), error.hint)
        return ""
    lines: list[Line] = []
    digests: dict[str, str] = {}
    for outcome in outcomes:
        name = outcome.file.name
        if outcome.trouble:
            trouble[name] = outcome.trouble
            reader.fail(f"{shown}/{name}", outcome.trouble, _AGAIN)
        else:
            digests[name] = digest_of(outcome.lines, mode, hash)
            lines.extend(outcome.lines)
    whole = "" if trouble else digest_of(lines, mode, hash)
    parts = {} if trouble else _parts(lines)
    return msgspec.json.encode(Weights(whole, digests, trouble, parts), order="sorted").decode()


def _parts(lines: Sequence[Line]) -> Mapping[str, str]:
    """Digests by the name of a tensor; by its layer, then by the first word of its name, where there are too many."""
    for label, name_of in (
        ("tensor", str),
        ("tensors of", _layer),
        ("tensors of", lambda name: name.partition(".")[0]),
    ):
        groups: dict[str, list[Line]] = {}
        for line in lines:
            groups.setdefault(name_of(line.name), []).append(line)
        if len(groups) <= _MOST_PARTS:
            return {
                f"{label} {name}": digest_of(group, "full").rpartition(":")[2][:16]
                for name, group in groups.items()
                if name
            }
    return {}


def _layer(name: str) -> str:
    """``model.layers.12`` of ``model.layers.12.mlp.up_proj.weight``; a name without number as it is."""
    found = _NUMBERED.match(name)
    return found[0] if found else name


class _NoExecutorError(Exception):
    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@contextmanager
def _threads() -> Iterator[_Workers]:
    workers = _processors()
    with ThreadPoolExecutor(workers) as executor:
        yield executor, workers, (ChangedError, OSError)


@contextmanager
def _dask(where: str) -> Iterator[_Workers]:
    """The workers of a Dask cluster. They have to see the files under the same paths, and to have Askew installed.

    Source: ``Client.get_executor``, https://distributed.dask.org/en/stable/api.html
    """
    try:
        client_of = import_module("distributed").Client
    except ImportError:
        hint = "pip install 'askew[dask]', or leave executor= out to hash on this machine"
        raise _NoExecutorError("Dask is not installed here", hint) from None
    try:
        client = client_of(f"tcp://{where.removeprefix('dask://')}", timeout=_PATIENCE)
    except (OSError, ValueError) as error:
        text = str(error) or type(error).__name__
        raise _NoExecutorError(f"the Dask scheduler does not answer: {text}", "write dask://host:8786") from None
    with client:
        workers = sum(client.nthreads().values())
        if not workers:
            raise _NoExecutorError("the Dask scheduler has no workers", "start some: dask worker tcp://host:8786")
        # What a cluster raises (a worker that was killed, a class that it lacks) is of no use here but as a message.
        yield client.get_executor(pure=False), workers, (Exception,)


def _processors() -> int:
    """How many processors this process may use, at most so many as there are threads that help."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(allowed, _MOST_THREADS))
