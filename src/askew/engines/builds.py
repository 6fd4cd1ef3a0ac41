"""Builds of engines for other hardware than NVIDIA's, told from the words of an image's name and tag."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from askew.evidence.launch import Token
from askew.facts.values.image import ImageReference
from askew.resolve.images import read_image
from askew.resolve.rule import Rule

VENDOR = "hardware.gpu.vendor"


class Build(msgspec.Struct, frozen=True):
    """What an image is built for: the word that says so, and the maker of the accelerators; empty for none."""

    word: str
    vendor: str


# A word of a name or tag, and whose accelerators it means. https://docs.vllm.ai/en/latest/getting_started/installation/
_WORDS: Mapping[str, str] = {
    "rocm": "amd",
    "gaudi": "intel",
    "hpu": "intel",
    "habana": "intel",
    "habanalabs": "intel",
    "neuron": "aws",
    "neuronx": "aws",
    "inf2": "aws",
    "trn1": "aws",
    "trn2": "aws",
    "tpu": "google",
    "ascend": "huawei",
    "npu": "huawei",
    "xpu": "intel",
    "ipex": "intel",
    "musa": "mthreads",
    "rbln": "rebellions",
    "spyre": "ibm",
    "cpu": "",
    "openvino": "",
}


def build_of(reference: ImageReference) -> Build | None:
    """What the image is built for, where its name or tag says something else than CUDA."""
    text = f"{reference.name.partition('/')[2]}:{reference.tag or ''}".lower()
    for word in re.split(r"[^a-z0-9]+", text):
        plain = re.sub(r"\d+$", "", word) if word.startswith("rocm") else word
        if plain in _WORDS:
            return Build(plain, _WORDS[plain])
    return None


def vendor_rules(image: Token | None) -> tuple[Rule, ...]:
    """Whose accelerators an image is built for: what holds where no resource, node or GPU says it."""
    reference = read_image(image)
    build = build_of(reference) if reference is not None else None
    if image is None or build is None or not build.vendor:
        return ()
    vendor = build.vendor
    rule = Rule(
        fact=VENDOR,
        needs=(),
        compute=lambda facts: vendor,
        because=f"the image is a build for {build.word}",
        origin="derived",
        confidence="likely",
        location=image.location,
        rank=1,
    )
    return (rule,)
