"""Bytes of files to redacted documents and texts: what every collector of files does, wherever the bytes come from."""

from __future__ import annotations

import os.path
import re
from fnmatch import translate

from askew.collectors.interface import Evidence, Request, SourceError, Status, Text
from askew.engines._index import ENGINES
from askew.evidence.document import Document, mask_unread
from askew.evidence.redaction import Redactor
from askew.evidence.yaml import MAX_BYTES, Dialect, read

DATA_EXTENSIONS = frozenset((".yaml", ".yml", ".json", ".lock"))
# systemd.unit(5), podman-systemd.unit(5); ``.conf`` only as a drop-in (``llm.service.d/gpu.conf``); a chat template
# that a launch names is a ``.jinja``.
TEXT_EXTENSIONS = frozenset((".service", ".container", ".pod", ".kube", ".image", ".env", ".jinja"))
MAX_TEXT_BYTES = 4 * 2**20
# Directories that hold no deployment, but sometimes very many files.
SKIPPED_DIRECTORIES = frozenset(("node_modules", "__pycache__", "venv", "site-packages"))

_UNIT = re.compile(r"^\[(?:Unit|Service|Container|Pod|Kube|Install|Image)\]\s*$", re.MULTILINE)
_DROP_IN = re.compile(r"\.(?:service|container|pod|kube)\.d$")
_VARIABLE = re.compile(
    r"^([^\S\n]*(?:export[^\S\n]+)?([A-Za-z_][A-Za-z0-9_.-]*)[^\S\n]*=[^\S\n]*+)(\S(?:.*\S)?)", re.MULTILINE
)
# Names of files that configure an engine by themselves: config.pbtxt, config.properties, a Modelfile.
_ENGINE_FILES = tuple(re.compile(translate(name)) for entry in ENGINES.values() for name in entry.files)
_MAX_NOTES = 5
_LOCK_NAME = "askew.lock"
# A JSON file of a directory that is this large and names no kind is data (a tokenizer, a dashboard), not configuration.
_LARGE_JSON = 256 * 1024


class Reader:
    """Collects documents, texts and errors, one file after another. One bad file does not hide the others.

    ``notes`` say what is missing, and make the source partial; ``remarks`` are told and lower nothing."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self.documents: list[Document] = []
        self.texts: list[Text] = []
        self.errors: list[SourceError] = []
        self.notes: list[str] = []
        self.remarks: list[str] = []
        self.files = 0
        self.interrupted = False

    def stopped(self, request: Request) -> None:
        """Called where KeyboardInterrupt was caught: it passes, unless what was read until then is wanted. Whatever
        is here was redacted before it was added, so that no moment to stop is a bad one."""
        if not request.keep:
            raise KeyboardInterrupt
        self.interrupted = True

    def fail(self, source: str, message: str, hint: str, line: int = 0, column: int = 0) -> None:
        """Record that something could not be read. Secrets in what a tool or parser said are replaced."""
        self.errors.append(
            SourceError(
                source=source,
                message=self._redactor.text(message),
                hint=self._redactor.text(hint),
                line=line,
                column=column,
            )
        )

    def add(self, source: str, data: bytes, *, named: bool) -> None:
        """Read one file. ``named``: the user pointed at it, so it must hold something, whatever its name."""
        self.files += 1
        name = os.path.basename(source)
        if is_text_name(source):
            self.add_text(source, data, variables=is_variables(source) or name.endswith(".properties"), named=named)
        elif os.path.splitext(name)[1] in DATA_EXTENSIONS:
            if not named and len(data) > _LARGE_JSON and name.endswith(".json") and b'"kind"' not in data:
                return
            self.add_manifest(source, data, named)
        elif named:
            self._sniff(source, data)

    def _sniff(self, source: str, data: bytes) -> None:
        if b"\0" not in data[:8192]:
            head = data[:65536].decode("utf-8", "replace")
            if head.startswith("#!"):
                self.fail(
                    source,
                    "this is a script, and scripts are not read as sources",
                    "give its last command: cmd:'vllm serve …'",
                    1,
                    1,
                )
                return
            if _UNIT.search(head):
                self.add_text(source, data, variables=False, named=True)
                return
        self.add_manifest(source, data, True)

    def add_text(self, source: str, data: bytes, *, variables: bool, named: bool = False) -> Text | None:
        """Read one file as a text, whatever its name; None when it is none. ``variables``: lines are ``NAME=value``."""
        if not data.strip():
            if named:
                self.fail(source, "the file is empty", "save it again, or point at another")
            return None
        if len(data) > MAX_TEXT_BYTES:
            message = f"the file has {len(data):,} bytes; at most {MAX_TEXT_BYTES:,} are read of a text"
            self.fail(source, message, "point at the file that configures the deployment")
            return None
        if (at := data.find(b"\0")) >= 0:
            line = data.count(b"\n", 0, at) + 1
            self.fail(source, "expected text, found a NUL byte: this is a binary file", "point at a text file", line, 1)
            return None
        try:
            decoded = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            message = f"expected UTF-8 text, found the byte 0x{data[error.start]:02x}"
            self.fail(source, message, "save the file as UTF-8", line, 1)
            return None
        text = Text(source=source, text=redacted_text(decoded, self._redactor, variables=variables))
        self.texts.append(text)
        return text

    def add_manifest(self, source: str, data: bytes, named: bool) -> None:
        """Read YAML or JSON, whatever its name: manifests, compose files, contracts, locks."""
        if not data.strip():
            if named:
                self.fail(
                    source,
                    "the file is empty",
                    "point at a manifest; if a tool should have written it, see what the tool said",
                )
            return
        compose = "compose" in os.path.basename(source)
        found = self._documents(source, data, "yaml" if compose else "kubectl")
        if not compose and any(is_compose(document) for document in found):
            errors = len(self.errors)
            found = self._documents(source, data, "yaml")
            del self.errors[errors:]
        if named and found and not any(isinstance(document.root.value, (dict, list)) for document in found):
            self.fail(
                source,
                "expected a manifest, found plain text",
                "point at YAML or JSON with keys and values, or at a unit file",
                1,
                1,
            )
            return
        if named and not found and not any(error.source == source for error in self.errors):
            self.fail(source, "the file holds no document, only comments or separators", "point at a manifest")
        for document in found:
            self._redactor.document(document)
            document.mask_comments(self._without_secret)
        self.documents.extend(found)

    def _documents(self, source: str, data: bytes, dialect: Dialect) -> list[Document]:
        stream = read(data, source, dialect=dialect)
        everything = stream.documents
        if stream.errors:
            mask_unread(everything)
        found = [document for document in everything if document.root.value is not None]
        for error in stream.errors:
            self.fail(source, error.message, error.hint or "correct the file at this place", error.line, error.column)
        return found

    def _without_secret(self, comment: str) -> str:
        return masked(comment, self._redactor.text(comment))

    def evidence(self, uri: str, nothing: str, hint: str, platform: str = "") -> Evidence:
        """How it ended. ``nothing`` and ``hint`` are said when nothing was found and nothing was wrong either."""
        found = bool(self.documents or self.texts)
        if not found and not self.errors and not self.interrupted:
            self.fail(uri, nothing, hint)
        status: Status = "complete"
        if self.errors or self.notes:
            status = "partial" if found else "failed"
        reasons = [self._redactor.text(note) for note in self.notes[:_MAX_NOTES]]  # servers repeat what they were told
        if len(self.notes) > _MAX_NOTES:
            reasons.append(f"and {len(self.notes) - _MAX_NOTES} more of this kind")
        if self.errors:
            bad = len({error.source for error in self.errors})
            reasons.insert(
                0,
                f"{bad} of {self.files} files could not be read in full" if self.files > 1 else self.errors[0].message,
            )
        reasons.extend(self._redactor.text(remark) for remark in self.remarks[:_MAX_NOTES])
        return Evidence(
            uri=uri,
            documents=tuple(self.documents),
            texts=tuple(self.texts),
            status=status,
            reason="; ".join(reasons),
            errors=tuple(self.errors),
            files=self.files,
            platform=platform,
            interrupted=self.interrupted,
        )


def is_text_name(source: str) -> bool:
    """Whether a file of this name is read as a text: a unit, a quadlet, a drop-in, a file of variables or of an engine
    that is neither YAML nor JSON."""
    folder, name = os.path.split(source)
    extension = os.path.splitext(name)[1]
    return (
        is_variables(name)
        or extension in TEXT_EXTENSIONS
        or (extension == ".conf" and _DROP_IN.search(folder) is not None)
        or (extension not in DATA_EXTENSIONS and any(pattern.match(name) for pattern in _ENGINE_FILES))
    )


def is_variables(source: str) -> bool:
    """Whether a file of this name holds ``NAME=value`` lines."""
    name = os.path.basename(source)
    return name.endswith(".env") or name.startswith(".env.")


def is_candidate(name: str, folder: str = "") -> bool:
    """Whether a file of a directory is worth reading, by its name."""
    extension = os.path.splitext(name)[1]
    if extension == ".lock":
        return name == _LOCK_NAME
    return extension in DATA_EXTENSIONS or is_text_name(f"{folder}/{name}")


def is_compose(document: Document) -> bool:
    """Whether a document has the shape of a compose file."""
    root = document.root
    return root["services"].is_mapping and not root["kind"].exists and not root["apiVersion"].exists


def redacted_text(text: str, redactor: Redactor, *, variables: bool = False) -> str:
    """A text without secrets and with its line count unchanged; ``variables``: every line is ``NAME=value``."""

    def keep(old: str, new: str) -> str:
        return new + "\n" * (old.count("\n") - new.count("\n"))

    if variables:
        text = _VARIABLE.sub(lambda m: m[1] + keep(m[3], redactor.variable(m[2], m[3])), text)
    return keep(text, redactor.text(text))


def masked(old: str, new: str) -> str:
    """``old`` with every word that ``new`` lacks overwritten by ``*``, so that columns stay true."""
    kept = set(re.findall(r"[^\s=:,\"'{}\[\]]+", new))
    return re.sub(r"[^\s=:,\"'{}\[\]]+", lambda m: m[0] if m[0] in kept else "*" * len(m[0]), old)


def too_large(size: int) -> str:
    """The message for a file beyond the limit."""
    return f"the file has {size:,} bytes; at most {MAX_BYTES:,} are read"
