"""What starting, comparing two files and reading a directory cost, beside other tools on the same files.

    make bench      or    python -m benchmarks [--quick]

Everything is measured in a virtual environment of its own with the runtime requirements alone, under ``.cache/bench``:
msgspec imports typing_extensions where development tools have installed it, and a user has none. Runs of what is
compared are interleaved, so that a busy machine slows all alike; medians and their ratios are printed as Markdown.
A tool that cannot be installed is skipped, with the reason.
"""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.manifests import write

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache" / "bench"
RUNTIME = ROOT / "requirements" / "runtime.txt"
DEMO = ROOT / "src" / "askew" / "app" / "demo"
KUBE_LINTER = "golang.stackrox.io/kube-linter/cmd/kube-linter@v0.8.3"
SIZES = (1250, 2500, 5000)
# Prints the CPU seconds that reading every file of a directory takes, without starting and without anything after it.
PARSE = """\
import os, sys, time
import yaml
from askew.evidence.yaml import read
def bare(text): return sum(1 for _ in yaml.load_all(text, Loader=yaml.CSafeLoader))
def ours(text): return sum(1 for _ in read(text, "f"))
texts = [open(e.path).read() for e in sorted(os.scandir(sys.argv[1]), key=lambda e: e.name)]
for name, parse in (("CSafeLoader", bare), ("Askew", ours)) * 3:
    begin = time.process_time()
    for text in texts: parse(text)
    print(name, sum(map(len, texts)), time.process_time() - begin)
"""

# Prints for each engine the CPU seconds of loading it with its knowledge, and the median of reading and resolving one
# deployment after that; last the median of parsing one small manifest with the bare parser, the baseline.
RESOLVE = """\
import statistics, sys, time
import yaml
from askew.app import registry
from askew.evidence.launch import Launch, Token
from askew.evidence.location import Location
from askew.knowledge.rules import RULES
from askew.resolve.resolve import resolve
from askew.engines import versions
here = Location("deploy.yaml", line=1)
def once(name, launch):
    reading = registry.engine(name).read(launch)
    resolve(reading.observations, (*RULES, *reading.rules))
def timed(work, times):
    taken = []
    for _ in range(times):
        begin = time.process_time(); work(); taken.append(time.process_time() - begin)
    return statistics.median(taken)
once("vllm", Launch(argv=(), location=here, image=Token("vllm/vllm-openai:v0.9.0", here), implicit_entrypoint=True))
for name in registry.engine_names():
    known = registry.recognition(name)
    if not known.image:
        continue
    image = known.image.format((versions.releases(name) or ("1.0",))[-1])
    words = tuple(Token(word, here) for word in known.words)
    launch = Launch(argv=words, location=here, image=Token(image, here), implicit_entrypoint=True)
    first = timed(lambda: once(name, launch), 1)
    print(name, first, timed(lambda: once(name, launch), 200))
text = open(sys.argv[1]).read()
print("baseline", 0, timed(lambda: list(yaml.load_all(text, Loader=yaml.CSafeLoader)), 50))
"""


def environment(name: str) -> Path:
    """The virtual environment of this name, made when it is not there; its folder of programs."""
    folder = CACHE / name
    if not (folder / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    return folder / "bin"


def pip(programs: Path, *words: str) -> str:
    """Install into an environment; the last line of what pip complained about, empty when all went well."""
    command = [str(programs / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input", "-q", "install"]
    done = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["pip failed"])[-1]


def askew() -> Path:
    """The environment with this checkout and nothing that only development needs, with all bytecode compiled."""
    programs = environment("runtime")
    for words in (
        ("--require-hashes", "-r", str(RUNTIME)),
        ("--no-deps", "--no-build-isolation", "--force-reinstall", str(ROOT)),
    ):
        trouble = pip(programs, *words)
        if trouble:
            sys.exit(f"benchmarks: {trouble}")
    subprocess.run([str(programs / "python"), "-m", "compileall", "-q", str(programs.parent / "lib")], check=False)
    return programs


def checkov() -> tuple[str, str]:
    """The path of checkov, or why there is none."""
    programs = environment("checkov")
    if not (programs / "checkov").exists():
        trouble = pip(programs, "checkov")
        if trouble:
            return "", f"not installable: {trouble}"
    return str(programs / "checkov"), ""


def kube_linter() -> tuple[str, str]:
    """The path of kube-linter, or why there is none."""
    program = CACHE / "go" / "kube-linter"
    if program.exists():
        return str(program), ""
    go = shutil.which("go")
    if go is None:
        return "", "no Go to build it with"
    done = subprocess.run(
        [go, "install", KUBE_LINTER],
        env={**os.environ, "GOBIN": str(program.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    return (
        (str(program), "")
        if done.returncode == 0
        else ("", f"not buildable: {done.stderr.strip().rpartition(': ')[2]}")
    )


def run(command: Sequence[str], folder: Path) -> tuple[float, float, int]:
    """Wall seconds, CPU seconds and peak resident bytes of one run of a program, which may exit 0 or 1."""
    begin = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    cpu, peak = ended(process)
    wall = time.perf_counter() - begin
    if process.returncode not in (0, 1):
        sys.exit(f"benchmarks: {' '.join(command)} exited {process.returncode} in {folder}")
    return wall, cpu, peak


def ended(process: subprocess.Popen[bytes]) -> tuple[float, int]:
    """CPU seconds and peak resident bytes of a process, which is waited for."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2): bytes on macOS, KiB on Linux
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit


def interleaved(commands: Mapping[str, Sequence[str]], folder: Path, rounds: int) -> dict[str, tuple[float, float]]:
    """The median wall and CPU seconds of each command over so many rounds, after one that is not counted."""
    walls: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for index in range(rounds + 1):
        for name, command in commands.items():
            wall, cpu, _ = run(command, folder)
            if index:
                walls[name].append((wall, cpu))
    return {
        name: (statistics.median(w for w, _ in found), statistics.median(c for _, c in found))
        for name, found in walls.items()
    }


def starting(programs: Path, rounds: int) -> None:
    """Cold start and a comparison of two files, as multiples of an empty Python program."""
    python, program = str(programs / "python"), str(programs / "askew")
    commands = {
        "`python -c pass`": (python, "-c", "pass"),
        "`askew --version`": (program, "--version"),
        "`askew diff` of two files": (program, "diff", "last-good.yaml", "current.yaml"),
        "`askew check` of one file": (program, "check", "current.yaml"),
    }
    found = interleaved(commands, DEMO, rounds)
    empty = found["`python -c pass`"]
    goals = {"`askew --version`": "≤ 3", "`askew diff` of two files": "≤ 10"}
    print("| cold start | wall | times an empty program | CPU | times an empty program | goal |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, (wall, cpu) in found.items():
        print(
            f"| {name} | {wall * 1e3:.1f} ms | {wall / empty[0]:.1f} | {cpu * 1e3:.1f} ms | {cpu / empty[1]:.1f} | "
            f"{goals.get(name, '')} |"
        )
    print(f"\nMedians of {rounds} interleaved runs.\n")


def others(programs: Path, rounds: int) -> None:
    """The two files of the demo, given to linters of manifests. They answer other questions; what compares is the
    wait."""
    commands: dict[str, tuple[str, ...]] = {"askew check": (str(programs / "askew"), "check", ".")}
    skipped = {}
    for name, (path, reason), words in (
        ("checkov", checkov(), ("--quiet", "--compact", "--framework", "kubernetes", "-d", ".")),
        ("kube-linter", kube_linter(), ("lint", ".")),
    ):
        if path:
            commands[name] = (path, *words)
        else:
            skipped[name] = reason
    found = interleaved(commands, DEMO, rounds)
    print("| the same two files | median wall | median CPU | times askew's wall |")
    print("|---|---:|---:|---:|")
    for name, (wall, cpu) in found.items():
        print(f"| {name} | {wall * 1e3:.0f} ms | {cpu * 1e3:.0f} ms | {wall / found['askew check'][0]:.1f} |")
    for name, reason in skipped.items():
        print(f"| {name} | skipped: {reason} | | |")
    print(f"\nMedians of {rounds} interleaved runs.\n")


def directories(programs: Path, sizes: Sequence[int]) -> None:
    """Directories of generated manifests: time, memory, and whether both grow as the files do."""
    print("| manifests | MB | wall | CPU | CPU per manifest | peak memory |")
    print("|---:|---:|---:|---:|---:|---:|")
    for size in sizes:
        folder = CACHE / "manifests" / str(size)
        total = write(folder, size)
        wall, cpu, peak = run((str(programs / "askew"), "check", str(folder)), ROOT)
        print(
            f"| {size:,} | {total / 1e6:.1f} | {wall:.1f} s | {cpu:.1f} s | {cpu / size * 1e3:.2f} ms | "
            f"{peak / 1e6:.0f} MB |"
        )
    print("\n`askew check` with all checks, one run each.\n")
    parsing(programs, CACHE / "manifests" / str(sizes[0]))


def parsing(programs: Path, folder: Path) -> None:
    """Reading YAML with the place of every value, beside the bare parser that keeps none."""
    done = subprocess.run(
        [str(programs / "python"), "-c", PARSE, str(folder)], capture_output=True, text=True, check=True
    )
    best: dict[str, tuple[int, float]] = {}
    for line in done.stdout.splitlines():
        name, characters, taken = line.split()
        if name not in best or float(taken) < best[name][1]:
            best[name] = int(characters), float(taken)
    bare = best["CSafeLoader"][1]
    print("| reading the YAML alone | MB/s | times the bare parser's time |")
    print("|---|---:|---:|")
    for name, label in (
        ("CSafeLoader", "`yaml.CSafeLoader`, no places"),
        ("Askew", "Askew, with the place of every value"),
    ):
        size, seconds = best[name]
        print(f"| {label} | {size / seconds / 1e6:.2f} | {seconds / bare:.2f} |")
    print("\nBest of three, CPU time, the same libyaml in the same process.")


def resolving(programs: Path) -> None:
    """One deployment of each engine, read and resolved, beside parsing the manifest that holds it."""
    done = subprocess.run(
        [str(programs / "python"), "-c", RESOLVE, str(DEMO / "current.yaml")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows = [line.split() for line in done.stdout.splitlines()]
    bare = float(rows[-1][2])
    print(
        "| reading and resolving one deployment | after load | times parsing its manifest | first time, with loading |"
    )
    print("|---|---:|---:|---:|")
    for name, first, after in rows[:-1]:
        print(f"| {name} | {float(after) * 1e3:.2f} ms | {float(after) / bare:.2f} | {float(first) * 1e3:.1f} ms |")
    print(
        f"\nCPU time, medians of 200. The baseline is `yaml.CSafeLoader` on the demo's manifest: {bare * 1e3:.1f} ms. "
        "Common code is loaded before; an engine is loaded when a launch is its.\n"
    )


def processor() -> str:
    """The name of the processor as the system gives it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def main() -> None:
    """Print the tables."""
    quick = "--quick" in sys.argv[1:]
    programs = askew()
    print(
        f"{time.strftime('%Y-%m-%d')}, Python {platform.python_version()}, {processor()}, {os.cpu_count()} cores, "
        f"{platform.system()}\n"
    )
    starting(programs, 5 if quick else 25)
    resolving(programs)
    others(programs, 1 if quick else 5)
    directories(programs, SIZES[:1] if quick else SIZES)


if __name__ == "__main__":
    main()
