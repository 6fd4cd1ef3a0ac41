"""What an image of TEI holds: its release, and for which hardware it was built.

The tag says both, hardware first: ``cpu-1.7``, ``89-1.5.1``, ``hopper-1.6-grpc``; without a name it is Ampere (8.0).
https://github.com/huggingface/text-embeddings-inference#docker-images, and ``.github/workflows/matrix.json`` there.
"""

from __future__ import annotations

import re

import msgspec

from askew.evidence.launch import Token
from askew.resolve.images import read_image

_TAG = re.compile(r"(?:(?P<kind>[a-z][a-z0-9-]*|\d{2,3})-)?v?(?P<release>\d+\.\d+(?:\.\d+)?)(?P<rest>(?:-[\w.]+)*)")
_LATEST = re.compile(r"(?:(?P<kind>[a-z][a-z0-9-]*|\d{2,3})-)?(?:latest|sha-[0-9a-f]+)(?P<rest>(?:-[\w.]+)*)")
# What a build for NVIDIA is compiled for. "cuda" has all of them and takes the one that fits.
CAPABILITIES = {
    "": "8.0", "turing": "7.5", "86": "8.6", "89": "8.9", "hopper": "9.0", "90": "9.0", "100": "10.0", "120": "12.0",
    "cuda": "all",
}  # fmt: skip


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """``release`` is exact, ``series`` what a tag that moves over patch releases says (``1.5``).

    ``kind`` is nvidia, cpu, python (Intel and Gaudi) or empty where nothing tells; ``capability`` what a build for
    NVIDIA is compiled for; ``official`` an image that the project publishes, which sets PORT=80.
    """

    release: str | None = None
    series: str | None = None
    kind: str = ""
    capability: str = ""
    official: bool = False
    grpc: bool = False


def made(image: Token | None) -> Made:
    """What an image's name and tag say."""
    reference = read_image(image)
    if reference is None:
        return Made()
    name = reference.repository.rpartition("/")[2]
    tag = reference.tag or ""
    if name != "text-embeddings-inference":
        # Amazon's say the release behind PyTorch's, 2.0.1-tei1.4.0-gpu-py310-cu122-ubuntu22.04; Habana's their own.
        inside = re.search(r"(?:^|-)tei(\d+\.\d+\.\d+)(?=-|$)", tag)
        kind = "cpu" if "cpu" in name or "-cpu-" in tag else "python" if "gaudi" in name or "habana" in name else ""
        if inside is not None and not kind and "-gpu-" in tag:
            kind = "nvidia"
        return Made(release=inside[1] if inside is not None else None, kind=kind)
    match = _TAG.fullmatch(tag) or _LATEST.fullmatch(tag)
    if match is None:
        return Made(official=True)
    groups = match.groupdict()
    release, word = groups.get("release"), groups["kind"] or ""
    exact = release is not None and release.count(".") == 2
    if word in CAPABILITIES:
        kind = "nvidia"
    elif word in ("cpu", "cpu-arm64"):
        kind = "cpu"
    else:
        kind = "python" if word in ("cpu-ipex", "xpu-ipex", "xpu", "hpu") else ""
    return Made(
        release=release if exact else None, series=release if release is not None and not exact else None, kind=kind,
        capability=CAPABILITIES.get(word, ""), official=True, grpc="-grpc" in groups["rest"],
    )  # fmt: skip
