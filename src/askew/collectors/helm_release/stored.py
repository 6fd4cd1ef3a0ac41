"""What Helm stores of a release: a Secret or ConfigMap for each revision, with the manifest as it was installed.

https://github.com/helm/helm/tree/v3.19.0/pkg/storage/driver: ``util.go`` packs a release, ``labels.go`` names it.
"""

from __future__ import annotations

import base64
import binascii
import zlib

import msgspec

PREFIX = "sh.helm.release.v1"
_MOST_BYTES = 64 * 2**20
_GZIP = b"\x1f\x8b"


class StoredError(Exception):
    """An object that holds no release: the message says why, and nothing of what it holds."""


class _Info(msgspec.Struct):
    status: str = ""


class Release(msgspec.Struct):
    """One revision. Charts and templates are left out: the manifest is what they made."""

    name: str = ""
    version: int = 0
    manifest: str = ""
    namespace: str = ""
    info: _Info | None = None


class _Object(msgspec.Struct):
    data: dict[str, str] | None = None


class _Meta(msgspec.Struct):
    name: str = ""
    labels: dict[str, str] | None = None


class Entry(msgspec.Struct):
    """What a list says of one revision, without its data."""

    metadata: _Meta | None = None

    @property
    def labels(self) -> dict[str, str]:
        return (self.metadata.labels if self.metadata else None) or {}

    @property
    def revision(self) -> int:
        """Its number; 0 for what is no revision."""
        text = self.labels.get("version", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def release(body: bytes, *, secret: bool) -> Release:
    """The release in an object. Raises StoredError."""
    try:
        held = (msgspec.json.decode(body, type=_Object).data or {}).get("release", "")
        data = base64.b64decode(held, validate=True)
        if secret:  # what a Secret holds is encoded by Kubernetes once more
            data = base64.b64decode(data, validate=True)
    except (msgspec.DecodeError, binascii.Error, UnicodeDecodeError, ValueError, RecursionError):
        raise StoredError("its field 'release' is not encoded as Helm does") from None
    if not data:
        raise StoredError("it has no field 'release'")
    if data.startswith(_GZIP):
        unpacker = zlib.decompressobj(31)
        try:
            data = unpacker.decompress(data, _MOST_BYTES + 1)
        except zlib.error:
            raise StoredError("it is not valid gzip") from None
        if len(data) > _MOST_BYTES:
            raise StoredError(f"it is larger than {_MOST_BYTES:,} bytes")
    try:
        return msgspec.json.decode(data, type=Release)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise StoredError("it is not the JSON of a release") from None
