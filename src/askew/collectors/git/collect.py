"""``git:REV:PATH`` through the git on PATH: objects are read as they are stored, no filter and no hook is run."""

from __future__ import annotations

import os

from askew.collectors.beside import add_references, charts_and_patches
from askew.collectors.interface import Capability, Evidence, Request
from askew.collectors.reading import SKIPPED_DIRECTORIES, Reader, is_candidate, too_large
from askew.collectors.tools import Ended, find, run
from askew.evidence.redaction import Redactor
from askew.evidence.yaml import MAX_BYTES

_SECONDS = 60.0
_MAX_TOTAL = 512 * 2**20
_MAX_FILES = 50_000
_SAFE = (
    "--no-pager", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "protocol.allow=never",
    "-c", "core.quotePath=false",
)  # fmt: skip
_LFS = b"version https://git-lfs.github.com/spec/"


class _StoppedError(Exception):
    """Why nothing can be read, and what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class _Entry:
    """A file of a tree."""

    __slots__ = ("mode", "oid", "path", "size")

    def __init__(self, mode: str, oid: str, size: int, path: str) -> None:
        self.mode = mode
        self.oid = oid
        self.size = size
        self.path = path


class GitCollector:
    """Any path at any revision: ``git:HEAD~3:deploy.yaml``, ``git:v1.2:manifests/``, ``git:main:.``."""

    name = "git"
    schemes: tuple[str, ...] = ("git",)
    capabilities: tuple[Capability, ...] = ("filesystem", "exec")

    def collect(self, request: Request, redactor: Redactor) -> Evidence:
        """Read a path at a revision; a path is relative to the current directory, else to the top of the repository."""
        reader = Reader(redactor)
        try:
            _collect(reader, request)
        except _StoppedError as error:
            reader.fail(request.target, error.message, error.hint)
        except KeyboardInterrupt:
            reader.stopped(request)
        return reader.evidence(request.uri, "no manifest lies there at this revision", "name a directory that has some")


COLLECTOR = GitCollector()


def _collect(reader: Reader, request: Request) -> None:
    revision, path = _split(request.target)
    git = find("git")
    if git is None:
        raise _StoppedError("git is not on PATH", "install git, or write the old file out and name that")
    folder, rest = _nearest(path, request.base)
    repository = _Repository(git, folder)
    commit = repository.commit(revision, path)
    prefix = repository.prefix()
    top = _inside(prefix, rest, path)
    entries = repository.files(commit, top)
    if not entries and not os.path.normpath(path).startswith(".."):
        top = _inside("", path.lstrip("/"), path)
        entries = repository.files(commit, top)
    if not entries:
        exists = os.path.exists(os.path.join(folder, rest))
        message = f"there is no {path} at {revision}" + ("; it is in the working tree only" if exists else "")
        raise _StoppedError(message, f"git ls-tree -r --name-only {revision} lists what is there")
    shown = path.rstrip("/") or "."
    if len(entries) == 1 and entries[0].path == top:
        _one(reader, repository, entries[0], f"{revision}:{shown}", commit)
    else:
        _tree(reader, repository, entries, top, revision, "" if shown == "." else shown.removeprefix("./"))


def _split(target: str) -> tuple[str, str]:
    """Revision and path: the first colon outside of braces parts them (``HEAD@{10:00}:deploy.yaml``)."""
    depth = 0
    for index, char in enumerate(target):
        depth += (char == "{") - (char == "}")
        if char == ":" and depth <= 0:
            revision, path = target[:index], target[index + 1 :]
            break
    else:
        raise _StoppedError("expected a revision and a path", "write git:REV:PATH, for example git:HEAD~1:deploy.yaml")
    if not revision or revision.startswith("-") or "\0" in target or "\n" in target:
        raise _StoppedError(f"'{revision}' is no revision", "write git:REV:PATH, for example git:HEAD~1:deploy.yaml")
    return revision, path or "."


def _nearest(path: str, base: str) -> tuple[str, str]:
    """The nearest directory above the path that exists today, and the rest of the path."""
    full = os.path.normpath(os.path.join(base, path))
    folder, rest = (full, "") if os.path.isdir(full) else os.path.split(full)
    while folder and not os.path.isdir(folder):
        folder, name = os.path.split(folder)
        rest = os.path.join(name, rest)
    return folder or ".", rest


def _inside(prefix: str, rest: str, path: str) -> str:
    top = os.path.normpath(os.path.join(prefix, rest)) if prefix or rest else "."
    if top.startswith(".."):
        raise _StoppedError(f"{path} lies outside of the repository", "name a path inside of it")
    return "" if top == "." else top


class _Repository:
    """Questions to git, each its own short process."""

    def __init__(self, git: str, folder: str) -> None:
        self._git = git
        self._folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        self._env = {
            **kept, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1",
            "GIT_LITERAL_PATHSPECS": "1", "LC_ALL": "C",
        }  # fmt: skip

    def _ask(self, *words: str, given: bytes = b"") -> Ended:
        ended = run(
            (self._git, *_SAFE, "-C", self._folder, *words), seconds=_SECONDS, env=self._env, given=given,
            limit=_MAX_TOTAL + 64 * 2**20,
        )  # fmt: skip
        if ended.fault:
            raise _StoppedError(ended.fault, "try a smaller directory")
        if "not a git repository" in ended.complaint:
            raise _StoppedError(
                f"{self._folder} is not in a git repository", "run this inside of one, or check the path"
            )
        if "dubious ownership" in ended.complaint:
            hint = "git refuses repositories of other users: git config --global --add safe.directory PATH allows one"
            raise _StoppedError("the repository belongs to another user", hint)
        return ended

    def commit(self, revision: str, path: str) -> str:
        """The object a revision names, as the tree to read from."""
        ended = self._ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{tree}}")
        found = ended.output.decode("ascii", "replace").strip()
        if ended.status != 0 or not found:
            hint = f"git log --oneline -- {path} lists revisions; a shallow clone has only the newest ones"
            raise _StoppedError(f"there is no revision {revision}", hint)
        return found.rsplit("\n", 1)[-1]

    def prefix(self) -> str:
        """The current folder, as seen from the top of the repository."""
        return self._ask("rev-parse", "--show-prefix").output.decode("utf-8", "replace").strip("\n")

    def files(self, tree: str, top: str) -> list[_Entry]:
        """Every file at or below a path of a tree."""
        ended = self._ask("ls-tree", "-r", "-z", "-l", "--full-tree", tree, *(("--", top) if top else ()))
        found: list[_Entry] = []
        for row in ended.output.split(b"\0"):
            head, tab, name = row.partition(b"\t")
            parts = head.decode("ascii", "replace").split()
            if tab and len(parts) == 4 and parts[1] == "blob":
                size = int(parts[3]) if parts[3].isdecimal() else 0
                found.append(_Entry(parts[0], parts[2], size, os.fsdecode(name)))
        return found

    def contents(self, oids: list[str]) -> dict[str, bytes]:
        """The content of objects, in one process."""
        given = "".join(f"{oid}\n" for oid in dict.fromkeys(oids)).encode("ascii")
        output = self._ask("cat-file", "--batch", given=given).output
        found: dict[str, bytes] = {}
        at = 0
        while (end := output.find(b"\n", at)) >= 0:
            header = output[at:end].decode("ascii", "replace").split()
            if len(header) != 3 or not header[2].isdecimal():
                at = end + 1
                continue
            size = int(header[2])
            found[header[0]] = output[end + 1 : end + 1 + size]
            at = end + 2 + size
        return found


def _one(reader: Reader, repository: _Repository, entry: _Entry, source: str, tree: str) -> None:
    if entry.mode == "120000":
        raise _StoppedError("this is a symbolic link", "name the file that it points to")
    if entry.size > MAX_BYTES:
        raise _StoppedError(too_large(entry.size), "name the manifest itself")
    data = repository.contents([entry.oid]).get(entry.oid)
    if data is None:
        raise _StoppedError(
            "the repository lacks this object", "git fsck tells what is missing; a partial clone lacks files"
        )
    if data.startswith(_LFS):
        raise _StoppedError("the file is stored by Git LFS, and its content is not here", "git lfs fetch brings it")
    reader.add(source, data, named=True)
    folder = os.path.dirname(entry.path)

    def load(name: str) -> bytes | None:
        found = repository.files(tree, os.path.normpath(os.path.join(folder, name)))
        if len(found) != 1 or found[0].mode == "120000" or found[0].size > MAX_BYTES:
            return None
        return repository.contents([found[0].oid]).get(found[0].oid)

    add_references(
        reader,
        source,
        load,
        lambda name: [os.path.relpath(e.path, folder) for e in repository.files(tree, os.path.join(folder, name))],
    )


def _tree(reader: Reader, repository: _Repository, entries: list[_Entry], top: str, revision: str, shown: str) -> None:
    names = {entry.path[len(top) + 1 if top else 0 :]: entry for entry in entries}
    charts = {
        os.path.dirname(name)
        for name in names
        if os.path.basename(name) == "Chart.yaml"
        and any(other.startswith(os.path.join(os.path.dirname(name), "templates/")) for other in names)
    }
    for chart in sorted(charts):
        where = os.path.join(shown, chart) or "."
        reader.notes.append(f"{where} is a Helm chart and is not read as it stands: check it out and use helm:{where}")
    chosen = [
        (name, entry) for name, entry in sorted(names.items()) if entry.mode != "120000" and _wanted(name, charts)
    ]
    wanted: list[tuple[str, _Entry]] = []
    total = 0
    for name, entry in chosen:
        source = f"{revision}:{os.path.join(shown, name)}"
        total += entry.size
        if entry.size > MAX_BYTES:
            reader.fail(source, too_large(entry.size), "leave it out, or split it")
        elif total > _MAX_TOTAL or len(wanted) >= _MAX_FILES:
            reader.fail(f"{revision}:{shown}", "there are too many files; the rest is not read", "name one deployment")
            break
        else:
            wanted.append((source, entry))
    contents = repository.contents([entry.oid for _, entry in wanted]) if wanted else {}
    patches: set[str] = set()
    for source, entry in wanted:
        data = contents.get(entry.oid)
        if data is None:
            reader.fail(
                source, "the repository lacks this object", "a partial clone lacks files: git fetch brings them"
            )
            continue
        before = len(reader.documents)
        reader.add(source, data, named=False)
        if source.endswith(("kustomization.yaml", "kustomization.yml")):
            for document in reader.documents[before:]:
                charts_and_patches(document, source, patches, reader.notes)
    if patches:
        reader.documents[:] = [d for d in reader.documents if os.path.normpath(d.source) not in patches]


def _wanted(name: str, charts: set[str]) -> bool:
    folder, base = os.path.split(name)
    parts = folder.split("/") if folder else []
    if any(part.startswith(".") or part in SKIPPED_DIRECTORIES for part in parts):
        return False
    for chart in charts:
        if folder == chart and (base == "Chart.yaml" or base.startswith("values")):
            return False
        below = name[len(chart) + 1 if chart else 0 :] if not chart or name.startswith(chart + "/") else ""
        if below.startswith(("templates/", "charts/", "ci/")):
            return False
    return is_candidate(base, folder)
