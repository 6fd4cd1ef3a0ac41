"""``pid:4711``: what runs as this process of this machine, as Linux shows it in ``/proc`` (proc(5)).

A shell or an init process stands for the one process that it started; a worker that hides its arguments, as engines'
workers do, for the one that started it. Values of variables are read only of those that engines and their libraries
know; of everything else the name.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator

from askew.collectors.files.collect import UnreadableError, read_bytes
from askew.collectors.interface import Capability, Evidence, Request, Text
from askew.collectors.reading import DATA_EXTENSIONS, MAX_TEXT_BYTES, Reader, redacted_text
from askew.evidence.redaction import Redactor, is_secret_name

PROC = "/proc"
CGROUP = "/sys/fs/cgroup"
_HINT = "name a process of this machine by its number: pgrep -f vllm shows it, then pid:4711"
_LARGEST = 2 * 2**20  # the kernel's own limit for arguments and variables together
_DEEPEST = 16
_MOST_FILES = 32
_MOST_PACKAGES = 20_000
_STARTERS = frozenset(
    ("sh", "bash", "dash", "ash", "zsh", "tini", "tini-static", "dumb-init", "catatonit", "s6-svscan", "supervisord",
     "sudo", "env", "nohup", "nice", "taskset", "numactl", "timeout", "time", "docker-init")
)  # fmt: skip
_OF_FILE = re.compile(r"[-_]?(?:file|path)$")
_SETTINGS = (*DATA_EXTENSIONS, ".toml", ".conf", ".cfg", ".ini", ".properties", ".pbtxt", ".jinja", ".txt")


class ProcessCollector:
    """A process that runs on this machine."""

    name = "process"
    schemes: tuple[str, ...] = ("pid",)
    capabilities: tuple[Capability, ...] = ("filesystem",)

    def collect(self, request: Request, redactor: Redactor) -> Evidence:
        """Read what the kernel shows of the process. Never raises for what it holds."""
        reader = Reader(redactor)
        target = request.target.strip()
        shown = f"pid:{target}"
        if not os.path.isdir(f"{PROC}/self"):
            reader.fail(shown, f"this machine ({sys.platform}) has no /proc", "run it on the machine of the process")
        elif not (target.isascii() and target.isdecimal()) or len(target) > 10:
            reader.fail(shown, "this is no number of a process", _HINT)
        else:
            pid = _meant(int(target))
            if request.progress is not None and pid != int(target):
                request.progress(f"process {target} stands for {pid}, which has the arguments")
            _process(reader, redactor, shown, pid)
        return reader.evidence(request.uri, f"process {target} shows no arguments", _HINT, platform="process")


def _words(pid: int) -> list[str]:
    """The words of a process; none for threads of the kernel, and for what has ended. Raises OSError."""
    with open(f"{PROC}/{pid}/cmdline", "rb") as file:
        content = file.read(_LARGEST)
    if not content.strip(b"\0"):
        return []
    return content.rstrip(b"\0").decode("utf-8", "replace").split("\0")


def _parent(pid: int) -> int:
    with open(f"{PROC}/{pid}/stat", "rb") as file:
        # The name in brackets may hold anything, brackets too: proc(5).
        fields = file.read(4096).rpartition(b")")[2].split()
    return int(fields[1])


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with os.scandir(PROC) as scan:
        for entry in scan:
            if entry.name.isdecimal():
                try:
                    if _parent(int(entry.name)) == pid:
                        found.append(int(entry.name))
                except (OSError, ValueError, IndexError):
                    continue
    return found


def _meant(pid: int) -> int:
    """The process that has the arguments: below a shell that started one program, above a worker without any."""
    try:
        for _ in range(_DEEPEST):
            words = _words(pid)
            if len(words) == 1 and "::" in words[0]:  # VLLM::EngineCore, sglang::scheduler, ray::Worker
                above = _parent(pid)
                if above < 2:
                    return pid
                pid = above
            elif words and os.path.basename(words[0]).lstrip("-") in _STARTERS:
                below = [one for one in _children(pid) if _has_arguments(one)]
                if len(below) != 1:
                    return pid
                pid = below[0]
            else:
                return pid
    except (OSError, ValueError, IndexError):
        pass
    return pid


def _has_arguments(pid: int) -> bool:
    try:
        return len(_words(pid)) > 1
    except OSError:
        return False


def _process(reader: Reader, redactor: Redactor, shown: str, pid: int) -> None:
    folder = f"{PROC}/{pid}"
    reader.files += 1
    try:
        words = _words(pid)
    except OSError as error:
        gone = isinstance(error, (FileNotFoundError, ProcessLookupError))
        reader.fail(shown, "there is no such process" if gone else f"it cannot be read: {error.strerror}", _HINT)
        return
    if not words:
        return
    kept = redactor.words(words)
    reader.texts.append(Text(source=f"{folder}/cmdline", text=json.dumps(kept, ensure_ascii=False)))
    _add(reader, f"{folder}/environ", _variables(reader, redactor, folder))
    cwd = _link(f"{folder}/cwd")
    _add(reader, f"{folder}/cwd", cwd)
    _add(reader, f"{folder}/root/dev/shm", _shared_memory(folder))
    _add(reader, f"{folder}/cgroup/limits", _limits(folder))
    _add(reader, f"{folder}/root/packages", "\n".join(_packages(folder, words)))
    _files(reader, redactor, folder, cwd, words)


def _add(reader: Reader, source: str, text: str) -> None:
    if text:
        reader.texts.append(Text(source=source, text=text))


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _variables(reader: Reader, redactor: Redactor, folder: str) -> str:
    """A line for each variable: its name, and its value as JSON where engines know it."""
    from askew.engines.observe import RELEVANT_PREFIXES

    try:
        with open(f"{folder}/environ", "rb") as file:
            content = file.read(_LARGEST)
    except OSError as error:
        why = "they are its user's" if isinstance(error, PermissionError) else (error.strerror or "no reason given")
        reader.notes.append(f"the variables of the process are not shown: {why}")
        return ""
    lines: list[str] = []
    for word in content.decode("utf-8", "replace").split("\0"):
        name, equals, value = word.partition("=")
        if not name.isidentifier() or not equals:
            continue
        if name.startswith(tuple(RELEVANT_PREFIXES)):
            lines.append(f"{name}\t{json.dumps(redactor.variable(name, value), ensure_ascii=False)}")
        else:
            lines.append(name)
    return "\n".join(lines)


def _shared_memory(folder: str) -> str:
    """/dev/shm of the process as ``df -kP`` prints it."""
    try:
        found = os.statvfs(f"{folder}/root/dev/shm")
    except OSError:
        return ""
    return f"tmpfs {found.f_blocks * found.f_frsize // 1024} 0 0 0% /dev/shm"


def _limits(folder: str) -> str:
    """The lowest limits of the control groups that the process is in, as ``head`` prints their files."""
    try:
        with open(f"{folder}/cgroup", encoding="utf-8", errors="replace") as file:
            lines = file.read(65536).splitlines()
    except OSError:
        return ""
    out: list[str] = []
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            out += _lowest(CGROUP, path, "memory.max", memory=True)
            out += _lowest(CGROUP, path, "cpu.max", memory=False)
        elif "memory" in controllers.split(","):
            out += _lowest(f"{CGROUP}/memory", path, "memory.limit_in_bytes", memory=True)
    return "\n".join(out)


def _lowest(base: str, path: str, name: str, *, memory: bool) -> list[str]:
    found: list[tuple[float, str, str]] = []
    parts = [part for part in path.split("/") if part and part != ".."]
    for depth in range(len(parts), -1, -1):
        file = "/".join((base, *parts[:depth], name))
        try:
            with open(file, encoding="ascii", errors="replace") as stream:
                value = stream.read(256).strip()
            numbers = [int(word) for word in value.split()]
        except (OSError, ValueError):
            continue  # "max": no limit here
        if numbers and (memory or (len(numbers) == 2 and numbers[1])):
            found.append((numbers[0] if memory else numbers[0] / numbers[1], file, value))
    return [f"==> {min(found)[1]} <==", min(found)[2], ""] if found else []


def _packages(folder: str, words: Iterable[str]) -> list[str]:
    """Where the process finds its packages: the directories that installers wrote below the folder of its program, else
    of its interpreter. An interpreter behind a virtual environment has others, which the process does not see."""
    for path in (*reversed(list(words)[:2]), _link(f"{folder}/exe")):
        bin_folder, name = os.path.split(path)
        if not path.startswith("/") or not name or os.path.basename(bin_folder) != "bin":
            continue
        prefix = os.path.dirname(bin_folder)
        system = prefix in ("/usr", "/usr/local")
        found = [one for at in (("/usr/local", "/usr") if system else (prefix,)) for one in _installed(folder, at)]
        if found:
            return found[:_MOST_PACKAGES]
    return []


def _installed(folder: str, prefix: str) -> Iterator[str]:
    for library in _entries(f"{folder}/root{prefix}/lib", "python3"):
        for kind in ("site-packages", "dist-packages"):
            inside = f"{prefix}/lib/{library}/{kind}"
            for name in _entries(f"{folder}/root{inside}", "", ".dist-info"):
                yield f"{inside}/{name}"


def _entries(path: str, starts: str, ends: str = "") -> list[str]:
    try:
        with os.scandir(path) as scan:
            names = [entry.name for entry in scan]
    except OSError:
        return []
    return sorted(name for name in names if name.startswith(starts) and name.endswith(ends))


def _files(reader: Reader, redactor: Redactor, folder: str, cwd: str, words: Iterable[str]) -> None:
    """The files of settings that the words name. Only of a process that could read no more than who asks: a process of
    another user must not make anyone read for it."""
    try:
        own = os.stat(folder).st_uid == os.geteuid() and os.path.samefile(f"{folder}/root", "/")
    except OSError:
        return
    if not own:
        return
    taken: set[str] = set()
    before = ""
    for word in words:
        flag, _, value = word.partition("=") if word.startswith("-") else (before, "", "")
        name, before = value or word, word
        if is_secret_name(_OF_FILE.sub("", flag)):
            continue  # the file holds nothing but the secret, which nothing in it gives away
        if not name.endswith(_SETTINGS) or "\n" in name or len(name) > 4096 or len(taken) >= _MOST_FILES:
            continue
        path = os.path.normpath(os.path.join(cwd, name))
        if not path.startswith("/") or path in taken or not os.path.isfile(path):
            continue
        taken.add(path)
        reader.files += 1
        try:
            content = read_bytes(path, MAX_TEXT_BYTES)
        except UnreadableError as error:
            reader.notes.append(f"{path} is not shown: {error.message}")
            continue
        text = redacted_text(content.decode("utf-8", "replace"), redactor)
        reader.texts.append(Text(source=path, text=text))


COLLECTOR = ProcessCollector()
