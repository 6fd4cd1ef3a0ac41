"""What a digest of weights costs, beside plain hashing of the same bytes in the same run.

    python -m benchmarks.weights [GIGABYTES]

Writes a made-up checkpoint under ``.cache/bench`` (2 GB unless told otherwise: one of four shards and a re-sharded copy
of it), hashes it in turn with what is compared, and prints medians and ratios as Markdown. It also flips one bit of it
and says whether that was found, and what memory it took. Everything is in the page cache: a disk would only hide the
difference.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from askew.app.load import load
from askew.evidence.redaction import Redactor

FOLDER = Path(__file__).resolve().parents[1] / ".cache" / "bench" / "weights"
ROUNDS = 5
TENSORS = 96


def shards(folder: Path, size: int, count: int, names: list[str]) -> None:
    """A checkpoint of ``size`` bytes in so many files; the bytes of a tensor follow from its name."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}')
    each = size // TENSORS // 2 * 2
    for index in range(count):
        mine = names[index::count]
        header = {
            name: {"dtype": "BF16", "shape": [each // 2], "data_offsets": [at * each, (at + 1) * each]}
            for at, name in enumerate(mine)
        }
        text = json.dumps(header).encode()
        with open(folder / f"model-{index:05}.safetensors", "wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for name in mine:
                file.write(random.Random(name).randbytes(each))


def digest(folder: Path, mode: str = "full", hash: str = "sha256") -> str:
    """The digest that a user sees."""
    side = load(f"hf:{folder}?digest={mode}&hash={hash}&cache=off", "target", Redactor())
    return str(side.snapshots[0].facts["model.weights.digest"].value)


def plain(folder: Path) -> None:
    """SHA-256 of each file, as many at once as there are processors: what `sha256sum` in parallel does."""

    def one(path: Path) -> str:
        with open(path, "rb", buffering=0) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    with ThreadPoolExecutor(os.cpu_count()) as executor:
        list(executor.map(one, sorted(folder.glob("*.safetensors"))))


def plain_blake3(folder: Path) -> None:
    """BLAKE3 of each file with as many threads as there are processors: what `b3sum` does, file after file."""
    from blake3 import blake3

    for path in sorted(folder.glob("*.safetensors")):
        total = blake3(max_threads=blake3.AUTO)
        total.update_mmap(path)
        total.hexdigest()


def program(*words: str) -> Callable[[Path], None]:
    """A program over all files at once."""

    def run(folder: Path) -> None:
        files = sorted(map(str, folder.glob("*.safetensors")))
        subprocess.run([*words, *files], check=True, stdout=subprocess.DEVNULL)

    return run


def processor_seconds() -> float:
    """CPU time of this process and of those it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def main() -> None:
    """Print the table."""
    size = int(float(sys.argv[1] if len(sys.argv) > 1 else 2) * 1e9)
    names = [f"model.layers.{index}.weight" for index in range(TENSORS)]
    one, two = FOLDER / "one", FOLDER / "two"
    shards(one, size, 4, names)
    shards(two, size, 3, names[::-1])
    commands: dict[str, Callable[[Path], object]] = {
        "SHA-256 of the files, in parallel": plain,
        "`?digest=full`": digest,
        "BLAKE3 of the files, mapped into memory, with all processors": plain_blake3,
        "`?digest=full&hash=blake3`": lambda folder: digest(folder, hash="blake3"),
        "`?digest=sample`": lambda folder: digest(folder, "sample"),
    }
    for name, words in (("`sha256sum`", ("sha256sum",)), ("`b3sum`", ("b3sum",))):
        if shutil.which(words[0]):
            commands[name] = program(*words)
    walls: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for index in range(ROUNDS + 1):
        for name, work in commands.items():
            begin, used = time.perf_counter(), processor_seconds()
            work(one)
            if index:
                walls[name].append((time.perf_counter() - begin, processor_seconds() - used))
    base = [statistics.median(part) for part in zip(*walls["SHA-256 of the files, in parallel"], strict=True)]
    print(f"| {size / 1e9:.1f} GB in four files | wall | GB/s | CPU | share of plain hashing: wall | CPU |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, found in walls.items():
        wall, cpu = (statistics.median(part) for part in zip(*found, strict=True))
        print(
            f"| {name} | {wall:.2f} s | {size / wall / 1e9:.2f} | {cpu:.2f} s | {base[0] / wall:.0%} | "
            f"{base[1] / max(cpu, 0.01):.0%} |"
        )
    first = digest(one)
    print(f"\nRe-sharded, renamed and turned round: {'the same' if digest(two) == first else 'ANOTHER DIGEST'}.")
    with open(one / "model-00002.safetensors", "r+b") as file:
        file.seek(size // 8)
        byte = file.read(1)[0]
        file.seek(size // 8)
        file.write(bytes((byte ^ 4,)))
    print(f"One bit flipped: {'found' if digest(one) != first else 'NOT FOUND'}.")
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    print(f"Peak memory {peak / 1e6:.0f} MB, medians of {ROUNDS} interleaved runs, {os.cpu_count()} processors.")
    shutil.rmtree(FOLDER)


if __name__ == "__main__":
    main()
