"""Weights read and hashed: the text that hands the digests on, and the errors of what could not be read."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from askew.collectors.hf.cache import Known, known
from askew.collectors.hf.fingerprint import ALGORITHMS, LARGEST, Fingerprint, Line, digest_of
from askew.collectors.hf.tensors import Mode, WeightFile
from askew.collectors.reading import Reader

_MOST_THREADS = 32
_AGAIN = "let whatever writes the file end, and run again: what was read is remembered"


class Weights(msgspec.Struct, frozen=True):
    """Digests of the weights as a whole and of each file; of a file without one, why it has none."""

    digest: str
    files: Mapping[str, str]
    broken: Mapping[str, str]


def weights_text(
    reader: Reader,
    files: Sequence[WeightFile],
    broken: Mapping[str, str],
    shown: str,
    mode: Mode,
    remember: bool,
    progress: Callable[[str], None] | None,
) -> str:
    """``Weights`` as JSON; empty where no file of weights is there. ``broken``: files that are known to be of no use,
    and why. A file that cannot be read to its end is an error of ``reader``."""
    if not files and not broken:
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
        return known(file.path, file.status, file.tensors, ALGORITHMS[mode]) if remember else Known()

    workers = _processors()
    with ThreadPoolExecutor(workers) as executor:
        outcomes = Fingerprint(executor, workers, mode, remembered, progress).of(small)
    lines: list[Line] = []
    digests: dict[str, str] = {}
    for outcome in outcomes:
        name = outcome.file.name
        if outcome.trouble:
            trouble[name] = outcome.trouble
            reader.fail(f"{shown}/{name}", outcome.trouble, _AGAIN)
        else:
            digests[name] = digest_of(outcome.lines, mode)
            lines.extend(outcome.lines)
    whole = "" if trouble else digest_of(lines, mode)
    return msgspec.json.encode(Weights(whole, digests, trouble), order="sorted").decode()


def _processors() -> int:
    """How many processors this process may use, at most so many as there are threads that help."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(allowed, _MOST_THREADS))
