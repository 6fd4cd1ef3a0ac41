"""``packages:FILE`` and ``sbom:FILE``: what is installed where the model is served.

``pip freeze``, a requirements or lock file, an environment of conda, an SBOM as SPDX, CycloneDX or Syft write it. What
is installed where the model was trained comes by ``training:FILE``.
"""

from __future__ import annotations

import msgspec

from askew.collectors import records
from askew.collectors.files.collect import UnreadableError, read_bytes
from askew.collectors.interface import Capability, Evidence, Request, located
from askew.collectors.reading import Reader
from askew.evidence.redaction import Redactor

_HINT = "name a file: pip freeze > packages.txt, a lock file, or an SBOM (syft IMAGE -o spdx-json)"
_JSON = (b"{", b"[")
_LARGE, _LARGE_PART = 2**20, 2**16  # bytes
# Members of SPDX, CycloneDX and Syft documents that hold no packages.
_NO_PACKAGES = frozenset(
    ("files", "relationships", "hasExtractedLicensingInfos", "snippets", "dependencies", "vulnerabilities",
     "artifactRelationships")
)  # fmt: skip


class PackagesCollector:
    """A list of packages in one file."""

    name = "packages"
    schemes: tuple[str, ...] = ("packages", "sbom")
    capabilities: tuple[Capability, ...] = ("filesystem",)

    def collect(self, request: Request, redactor: Redactor) -> Evidence:
        """Read the list. Never raises for what it holds."""
        reader = Reader(redactor)
        path = located(request.target, request.base)
        reader.files += 1
        try:
            content = read_bytes(path)
        except UnreadableError as error:
            reader.fail(request.target, error.message, _HINT)
        else:
            if content.lstrip()[:1] in _JSON:
                reader.add_manifest(request.target, _without_files(content), named=True)
            elif records.is_data(request.target):
                reader.add_manifest(request.target, content, named=True)
            else:
                reader.add_text(request.target, content, variables=False, named=True)
        return reader.evidence(request.uri, "the file names no package", _HINT, platform="packages")


def _without_files(content: bytes) -> bytes:
    """An SBOM without its lists of files and of relations, which are most of it and no packages; lines stay true."""
    if len(content) < _LARGE:
        return content
    try:
        parts = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return content  # the reader says what is wrong with it, and where
    for name in _NO_PACKAGES & parts.keys():
        part = bytes(parts[name])
        if len(part) > _LARGE_PART and part[:1] == b"[" and content.count(part) == 1:
            content = content.replace(part, b"[" + b"\n" * part.count(b"\n") + b"]")
    return content


COLLECTOR = PackagesCollector()
