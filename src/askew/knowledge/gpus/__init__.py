"""Accelerators: what every tool calls them, and what each can do.

`gpus.json` beside this module holds one line for each, with the public source of every field. A field that only weak
evidence supports is absent and named in `unverified`; nothing is decided from it. Absent is not "no".
"""

from __future__ import annotations

import os
import re
from functools import lru_cache

import msgspec

from askew.facts.values.errors import LONGEST, ValueNotUnderstood


class Gpu(msgspec.Struct, frozen=True):
    """One accelerator. Sizes are bytes; `memory_gb` is the maker's nominal figure; counts in `instances` are
    devices; `tflops` are dense peaks by number format."""

    id: str
    vendor: str
    architecture: str
    sources: dict[str, list[str]]
    names: tuple[str, ...] = ()
    gke: tuple[str, ...] = ()
    karpenter: tuple[str, ...] = ()
    karpenter_memory_mib: int | None = None
    amd_product: tuple[str, ...] = ()
    instances: dict[str, int] = {}
    fractional_instances: tuple[str, ...] = ()
    memory_gb: int | None = None
    memory_bytes: int | None = None
    bandwidth_bytes_per_second: int | None = None
    compute_capability: str | None = None
    bf16: bool | None = None
    fp8: bool | None = None
    fp4: bool | None = None
    tflops: dict[str, float] = {}
    interconnect: str | None = None
    mig_profiles: dict[str, int] = {}
    unverified: tuple[str, ...] = ()


class GpuLabel(msgspec.Struct, frozen=True):
    """What a node label or device name says: the accelerators it admits, the MIG profile, the kind of sharing
    ("shared")."""

    ids: frozenset[str]
    mig_profile: str | None = None
    sharing: str | None = None


class _Catalogue(msgspec.Struct, frozen=True):
    sources: dict[str, str]
    gpus: list[Gpu]


class _Index(msgspec.Struct, frozen=True):
    by_id: dict[str, Gpu]
    by_key: dict[str, frozenset[str]]
    words: dict[str, tuple[frozenset[str], frozenset[str]]]


_EXPECTED = "a known accelerator"
_EXAMPLE = "h100-80gb-sxm, NVIDIA-L4, nvidia-tesla-t4"

_SEPARATORS = r"[\s_/,]+"
_MIG = r"(?a)-mig-(\d{1,2}g\.\d{1,3}gb(?:[.+-]me(?:\.all)?|[.+]gfx)*)$"
_MIG_PROFILE = r"(?a)(?:nvidia\.com/)?(?:mig-)?(\d{1,2}g\.\d{1,3}gb)((?:[.+-](?:me|all|gfx))*)"

# Words of free text that tell nothing about which accelerator it is.
_NOISE = frozenset(
    (
        "nvidia", "tesla", "geforce", "quadro", "gpu", "gpus", "amd", "instinct", "intel", "habana", "google", "cloud",
        "aws", "accelerator", "accelerators", "tensor", "core", "corporation", "graphics", "hbm", "hbm2", "hbm2e",
        "hbm3", "hbm3e", "gddr6", "gddr6x", "gddr7", "nvlink", "edition", "generation", "memory", "vram", "chip",
        "data", "center", "datacenter",
    )
)  # fmt: skip
_SYNONYMS = {
    "sxm2": "sxm", "sxm3": "sxm", "sxm4": "sxm", "sxm5": "sxm", "sxm6": "sxm", "hgx": "sxm", "dgx": "sxm",
    "pci": "pcie", "pcie4": "pcie", "pcie5": "pcie", "bw": "blackwell", "ws": "workstation", "lovelace": "ada",
    "trn1": "trainium1", "trn2": "trainium2", "trn3": "trainium3", "inf2": "inferentia2", "v5litepod": "v5e",
}  # fmt: skip
_FORMS = frozenset(("sxm", "pcie", "nvl", "oam"))
_SIZE = r"(?a)\d{1,3}gb"
# Parts of an id that one may leave out when naming it.
_OPTIONAL = _FORMS | frozenset(("rtx", "tpu", "blackwell", "server", "workstation", "maxq", "max", "q"))

_ARCHITECTURES = {"ada-lovelace": "ada", "blackwell-ultra": "blackwell ultra"}


def gpu(text: object) -> frozenset[str]:
    """The ids that a name admits: an id, a family, a tool's name, a label value, an instance type or free text.

    A family means its members: `h100-80gb` is SXM and PCIe, `A100 80GB` too. A bare product name such as "NVIDIA
    H100" is read as people mean it, the whole family; where a device or a label said it, use `parse_gpu_label`.
    Raises ValueNotUnderstood with the nearest known names.
    """
    index = _index()
    key = _key(text)
    if key in index.by_id:
        return frozenset((key,))
    for name in (key, key.removeprefix("nvidia-")):
        family = _family(name)
        if family:
            # Not every member begins with the family's name: h100-nvl has 94 GB as h100-94gb-sxm has.
            return family | _by_words(name)
    found = index.by_key.get(key) or _by_words(key)
    if found:
        return found
    raise _unknown(text, key)


def parse_gpu_label(text: str, label: str = "") -> GpuLabel:
    """What the value of a node label says, with MIG and sharing suffixes apart:
    `NVIDIA-A100-SXM4-40GB-MIG-1g.5gb-SHARED`.

    `label` is the label's key where it is known; it decides what an ambiguous value means (`nvidia-h100-80gb` is the
    SXM card on GKE; `ampere` is an architecture under nvidia.com/gpu.family). A resource such as
    `nvidia.com/mig-1g.5gb` admits every accelerator with that profile. Also reads the names that nvidia-smi prints.
    Raises ValueNotUnderstood.
    """
    index = _index()
    key = _key(text)
    sharing = "shared" if key.endswith("-shared") else None
    key = key.removesuffix("-shared")
    mig = re.search(_MIG, key)
    profile = mig_profile(mig[1]) if mig else None
    key = key[: mig.start()] if mig else key
    resource = text.strip().lower().removesuffix(".shared")
    if len(text) <= LONGEST and re.fullmatch(_MIG_PROFILE, resource):
        profile = mig_profile(resource)
        having = frozenset(one.id for one in index.by_id.values() if profile.partition("+")[0] in one.mig_profiles)
        if having:
            return GpuLabel(having, profile, "shared" if text.strip().lower().endswith(".shared") else None)
    if label.endswith("/gpu.family"):
        wanted = _ARCHITECTURES.get(key, key)
        ids = frozenset(one.id for one in index.by_id.values() if one.architecture.lower() == wanted)
        if ids:
            return GpuLabel(ids, profile, sharing)
        raise _unknown(text, key)
    return GpuLabel(index.by_key.get(key) or gpu(key), profile, sharing)


def gpu_of_device(name: str, memory_bytes: int | None = None) -> frozenset[str]:
    """The ids of the device that a driver calls so, whose total memory it says. Empty where that tells none.

    A driver's name is exact: `NVIDIA H100` is not the family, but the SXM card with 94 GB. Where the catalogue does not
    list the name, only members of its family that have this memory are meant; where its memory is another than that of
    the device listed under the name, and a sibling has it, the sibling is.
    """
    index = _index()
    exact = index.by_key.get(_key(name), frozenset())
    if memory_bytes is None:
        return exact
    fitting = frozenset(gpu_id for gpu_id in exact if _has_memory(index.by_id[gpu_id], memory_bytes))
    if fitting:
        return fitting
    try:
        family = gpu(name)
    except ValueNotUnderstood:
        return exact
    siblings = frozenset(gpu_id for gpu_id in family if _has_memory(index.by_id[gpu_id], memory_bytes))
    return siblings or exact


def _has_memory(one: Gpu, size: int) -> bool:
    """Whether a device of this kind can report so much: drivers keep some back, and makers count by 1000 or 1024."""
    nominal = (
        [one.memory_bytes]
        if one.memory_bytes
        else [one.memory_gb * 10**9, one.memory_gb * 2**30]
        if one.memory_gb
        else []
    )
    return any(abs(size - wanted) <= 0.04 * wanted for wanted in nominal)


def is_device_name(text: str) -> bool:
    """Whether a tool or a driver calls some known device exactly so."""
    return _key(text) in _names()


def begins_longer_name(text: str) -> bool:
    """Whether the name of another device goes on where this text ends: `NVIDIA H100` of `NVIDIA H100 PCIe`."""
    key = _key(text)
    return not key or any(name != key and name.startswith(key) for name in _names())


def gpu_of_prefix(prefix: str, memory_bytes: int | None = None) -> frozenset[str]:
    """The ids of the devices whose names begin so and that have this memory, for names that a table cut off."""
    key = _key(prefix)
    if len(key) < 8:
        return frozenset()
    index = _index()
    found = (gpu_id for name, ids in _names().items() if name.startswith(key) for gpu_id in ids)
    return frozenset(one for one in found if memory_bytes is None or _has_memory(index.by_id[one], memory_bytes))


@lru_cache(maxsize=1)
def _names() -> dict[str, frozenset[str]]:
    """What drivers call the devices, as keys, with and without the maker."""
    names: dict[str, frozenset[str]] = {}
    for one in _catalogue().gpus:
        for text in one.names:
            key = _key(text)
            for name in {key, key.removeprefix("nvidia-")}:
                names[name] = names.get(name, frozenset()) | {one.id}
    return names


# nvmlClocksEventReasons in docs.nvidia.com/deploy/nvml-api/. That the GPU idles, 0x1, is no reason; nor that a display
# is set up, 0x100.
_CLOCK_REASONS = {
    0x2: "applications_clocks_setting",
    0x4: "sw_power_cap",
    0x8: "hw_slowdown",
    0x10: "sync_boost",
    0x20: "sw_thermal_slowdown",
    0x40: "hw_thermal_slowdown",
    0x80: "hw_power_brake_slowdown",
}


def clock_reasons(bits: int) -> tuple[str, ...]:
    """Why a clock is lower than it could be, by the bits in which NVML tells it."""
    return tuple(name for bit, name in _CLOCK_REASONS.items() if bits & bit)


def mig_profile(text: str) -> str:
    """The canonical MIG profile: `nvidia.com/mig-1g.10gb.me` and `1g.10gb+me` are `1g.10gb+me`. Raises
    ValueNotUnderstood."""
    found = re.fullmatch(_MIG_PROFILE, text.strip().lower()) if len(text) <= LONGEST else None
    if found is None:
        raise ValueNotUnderstood(text, "a MIG profile", "1g.10gb or nvidia.com/mig-3g.40gb")
    attributes = found[2]
    return found[1] + (attributes[0].replace(".", "+") + attributes[1:] if attributes else "")


def instance_gpus(instance_type: str) -> tuple[frozenset[str], int] | None:
    """The accelerators in a cloud instance type and how many: `p5.48xlarge` has 8 × h100-80gb-sxm. None for types
    not known.

    A type that carries a slice of a device counts 0.
    """
    wanted = instance_type.strip().lower()
    for one in _index().by_id.values():
        for name, count in one.instances.items():
            if name.lower() == wanted:
                return frozenset((one.id,)), count
        if wanted in one.fractional_instances:
            return frozenset((one.id,)), 0
    return None


def info(gpu_id: str) -> Gpu:
    """The catalogue's record of one accelerator. Raises ValueNotUnderstood for an id that is none."""
    found = _index().by_id.get(gpu_id)
    if found is None:
        raise _unknown(gpu_id, _key(gpu_id))
    return found


def supports_bf16(gpu_id: str) -> bool | None:
    """Whether the accelerator computes in bfloat16; None where no source says so. NVIDIA: from compute capability
    8.0."""
    return info(gpu_id).bf16


def known() -> tuple[str, ...]:
    """Every id, in the catalogue's order."""
    return tuple(_index().by_id)


def source_of(gpu_id: str, field: str) -> tuple[str, ...]:
    """The public sources of one field of one accelerator; empty where there is none."""
    catalogue = _catalogue()
    return tuple(catalogue.sources[key] for key in info(gpu_id).sources.get(field, ()))


@lru_cache(maxsize=1)
def _catalogue() -> _Catalogue:
    with open(os.path.join(os.path.dirname(__file__), "gpus.json"), "rb") as file:
        return msgspec.json.decode(file.read(), type=_Catalogue)


@lru_cache(maxsize=1)
def _index() -> _Index:
    gpus = _catalogue().gpus
    by_key: dict[str, frozenset[str]] = {}
    for one in gpus:
        written = [*one.names, *one.gke, *one.karpenter, *one.amd_product, *one.instances, *one.fractional_instances]
        for text in written:
            key = _key(text)
            # Drivers before the NVIDIA prefix, and people, leave it out.
            for name in {key, key.removeprefix("nvidia-")}:
                by_key[name] = by_key.get(name, frozenset()) | {one.id}
    words = {one.id: _vocabulary(one) for one in gpus}
    return _Index({one.id: one for one in gpus}, by_key, words)


def _vocabulary(one: Gpu) -> tuple[frozenset[str], frozenset[str]]:
    """The words that free text must have to name this accelerator, and those that it may have."""
    words = _words(one.id)
    required = frozenset(word for word in words if word not in _OPTIONAL and not re.fullmatch(_SIZE, word))
    allowed = set(words)
    for name in one.names:
        allowed.update(_words(_key(name)))
    if one.memory_gb:
        # The size of unlike cards under one name tells them apart, so only an accelerator's own size is allowed.
        allowed = {word for word in allowed if not re.fullmatch(_SIZE, word)} | {f"{one.memory_gb}gb"}
    if not _FORMS & allowed:
        kind = (one.interconnect or "").lower()
        allowed.update({"pcie"} if kind.startswith("pcie") else {"sxm"} if kind.startswith("nvlink") else ())
    if one.vendor == "google":
        allowed.add("tpu")
    return required, frozenset(allowed)


def _by_words(key: str) -> frozenset[str]:
    words = frozenset(_words(key))
    return frozenset(
        gpu_id for gpu_id, (required, allowed) in _index().words.items() if required <= words and words <= allowed
    )


def _words(key: str) -> list[str]:
    """Free text as comparable words: `a100-80-gib` and `a100-80g` are [a100, 80gb], `gaudi-2` is [gaudi2]."""
    words: list[str] = []
    for word in key.split("-"):
        word = _SYNONYMS.get(word, word)
        if re.fullmatch(r"\d{1,3}(?:g|gib|gi)", word):
            word = re.sub(r"(?<=\d)g.*", "gb", word)
        previous = words[-1] if words else ""
        if word in ("gb", "gib", "g") and previous.isdecimal():
            words[-1] = f"{previous}gb"
        elif previous in ("gaudi", "inferentia", "trainium") and word.isdecimal():
            words[-1] = previous + word
        elif word and word not in _NOISE:
            words.append(word)
    return words


def _family(key: str) -> frozenset[str]:
    """The ids that begin with the key at a word boundary. A brand alone (rtx, tpu) is no family."""
    if not key or key in _OPTIONAL:
        return frozenset()
    index = _index()
    if key in index.by_id:
        return frozenset((key,))
    return frozenset(gpu_id for gpu_id in index.by_id if gpu_id.startswith(f"{key}-"))


def _key(text: object) -> str:
    """Lower case, words joined by hyphens: how labels print a device name (GPU feature discovery: sanitise())."""
    if not isinstance(text, str) or len(text) > LONGEST:
        return ""
    cleaned = re.sub(r"\([rc]\)|\(tm\)|[()\[\]\"']", "", text.strip().lower())
    return re.sub(r"-{2,}", "-", re.sub(_SEPARATORS, "-", cleaned)).strip("-")


def _unknown(text: object, key: str) -> ValueNotUnderstood:
    import difflib  # only on the way to an error

    index = _index()
    names = sorted({*index.by_id, *index.by_key})
    near = difflib.get_close_matches(key[:64], names, n=3, cutoff=0.6)
    hint = f"nearest known: {', '.join(near)}" if near else ""
    return ValueNotUnderstood(text, _EXPECTED, _EXAMPLE, hint)
