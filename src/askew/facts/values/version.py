"""Versions of engines and what image tags say about them."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from askew.facts.values.errors import LONGEST, ValueNotUnderstood

Movement: TypeAlias = Literal["fixed", "floating", "partial"]

# The public grammar of PEP 440 (packaging.python.org, "Version specifiers"), which all engines but llama.cpp follow
# near enough. Left out: the implied post release `1.0-1`, since in tags that is a package revision.
_RELEASE = r"(?:(?P<epoch>\d{1,9})!)?(?P<release>\d{1,18}(?:\.\d{1,18}){0,9})"
_DEV = r"(?P<dev>[-_.]?dev[-_.]?(?P<dev_n>\d{0,18}))?"
_PEP440 = (
    _RELEASE + r"(?:[-_.]?(?P<pre>alpha|beta|preview|pre|rc|a|b|c)[-_.]?(?P<pre_n>\d{0,18}))?"
    r"(?P<post>[-_.]?(?:post|rev|r)[-_.]?(?P<post_n>\d{0,18}))?" + _DEV
)
# In tags a short word after a hyphen is something else: `-a3` is a board, `-r1` a package revision, `-b20` a build.
_TAGGED = (
    _RELEASE + r"(?:(?:[-_.]?(?P<pre>alpha|beta|preview|rc)|(?P<short>[abc])(?=\d))[-_.]?(?P<pre_n>\d{0,18}))?"
    r"(?P<post>[-_.]?post[-_.]?(?P<post_n>\d{0,18}))?(?P<dev>[-_.]?dev[-_.]?(?P<dev_n>\d{1,18}))?(?![-_.]?dev(?:$|[-_.]))"
)
_VERSION = rf"(?a)v?{_PEP440}(?:\+(?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?"
_BUILD = r"(?a)b(\d{2,9})"
_PRE = {"alpha": "a", "a": "a", "beta": "b", "b": "b", "c": "rc", "rc": "rc", "pre": "rc", "preview": "rc"}

_TAG_START = rf"(?a)v?{_TAGGED}(?=$|[-_+])"
_BUILD_TAG = r"(?a)(?:^|-)(b\d{3,9})(?=$|-)"
# NVIDIA's catalogue names container releases by month (25.09-py3); the engine inside has another version.
_NGC = r"(?a)\d\d\.(?:0[1-9]|1[0-2])(?:\.\d+)?-(?:\S+-)?(?:py3|sdk)(?:-\S+)?"
_DESCRIBE = r"(?a)-\d+-g[0-9a-f]{7,40}(?=$|-)"
_DATE = r"(?a)(?:^|[-_.])v?20\d\d-?[01]\d-?[0-3]\d"
_COMMIT = r"(?a)(?:^|[-_.])(?:sha-|g)?(?=[0-9a-f]*\d)[0-9a-f]{7,64}(?=$|[-_.])"

_MOVING = frozenset(
    (
        "latest", "main", "master", "head", "nightly", "nightlies", "stable", "dev", "develop", "development", "edge",
        "canary", "rolling", "lts", "current", "unstable", "snapshot", "experimental", "preview", "testing", "staging",
        "production", "prod", "qa", "next", "tip", "trunk",
    )
)  # fmt: skip
# Words that say which build of a release a tag is. A tag made of nothing else moves with every release.
_VARIANTS = frozenset(
    (
        "cpu", "gpu", "cuda", "hpu", "gaudi", "rocm", "xpu", "tpu", "npu", "neuron", "intel", "amd", "nvidia", "arm64",
        "amd64", "aarch64", "x86_64", "x86", "arm", "ubi", "alpine", "slim", "debian", "ubuntu", "bookworm", "bullseye",
        "jammy", "noble", "focal", "py3", "python", "python3", "full", "light", "server", "vulkan", "musa", "sycl",
        "openvino", "cann", "grpc", "srt", "runtime", "base", "devel", "turing", "ampere", "ada", "hopper", "blackwell",
        "volta", "trtllm", "onnx", "onnxruntime", "openai", "min",
    )
)  # fmt: skip
# What precedes the version in the tags of Text Embeddings Inference (cpu-1.7, turing-1.7, 86-1.7), Infinity and others.
_LEADING = _VARIANTS | frozenset(("70", "75", "80", "86", "89", "90", "100", "120", "v", "version", "release"))


def version(text: object) -> str:
    """The canonical spelling of an engine version: `v0.8.5-post1` is `0.8.5.post1`, `0.9.0-rc.1` is `0.9.0rc1`.

    Digits of the release stay as written (Triton's `25.01`); a local part (`+cu124`) is kept; llama.cpp builds
    (`b4567`) stay. Raises ValueNotUnderstood.
    """
    lower = _clean(text)
    if re.fullmatch(_BUILD, lower):
        return lower
    return _canonical(_match(lower, text))


def compare(a: str, b: str) -> int:
    """-1, 0 or 1 as version `a` is older than, equal to or newer than `b`, by the order of PEP 440.

    Pre and development releases come before, post releases after their release. Local parts do not count. Builds
    (`b4567`) compare with builds only. Raises ValueNotUnderstood.
    """
    left, right = _key(a), _key(b)
    if (left[0] == "build") != (right[0] == "build"):
        raise ValueNotUnderstood(b, f"comparable with {a}", "two builds or two releases")
    return (left > right) - (left < right)


def same(a: str, b: str) -> bool:
    """Whether two versions name the same release. `0.8` and `0.8.0` do; `0.8.5` and `0.8.5.post1` do not.

    A local part such as `+cu124` names a build of the same release and does not count, except between development
    versions, where it names the commit. Text that is no version is the same only as itself.
    """
    try:
        if compare(a, b) != 0:
            return False
    except ValueNotUnderstood:
        return a == b
    left, right = version(a), version(b)
    if ".dev" in left and "+" in left and "+" in right:
        return left.partition("+")[2] == right.partition("+")[2]
    return True


def image_tag_version(tag: str) -> str | None:
    """The engine version that an image tag states in full, canonical; None when it states none or only a part.

    `v0.8.5-cu121` is 0.8.5, `0.8.5.post1-cu124-srt` is 0.8.5.post1, `server-cuda-b4567` is b4567. Moving tags,
    commits, partial versions (`0.8`, `cpu-1.7`) and NVIDIA's monthly containers (`25.09-py3`) say no exact version.
    """
    found = _tag_match(tag)
    if isinstance(found, str):
        return found
    if found is None or found["release"].count(".") < 2:
        return None
    return _canonical(found)


def image_tag_series(tag: str) -> str | None:
    """The part of a version that a partial tag states: `0.8` of `v0.8-cu124`, `1.7` of `cpu-1.7`; else None."""
    found = _tag_match(tag)
    if found is None or isinstance(found, str) or found["release"].count(".") >= 2:
        return None
    return _canonical(found)


def floating(tag: str | None) -> Movement:
    """Whether a tag is meant to move: `latest` and no tag at all are "floating"; `v0.8` and `3.11-slim` are "partial".

    A tag that names a full version, a commit, a build or a date is "fixed", and so is one whose words say nothing about
    movement. That is a convention of publishers: only a digest cannot move.
    """
    if not tag:
        return "floating"
    if len(tag) > LONGEST:
        return "fixed"  # no registry accepts it: a tag has at most 128 characters
    lower = tag.lower()
    words = [word for word in re.split(r"[-_.+]", lower) if word]
    if re.search(_COMMIT, lower) or re.search(_DATE, lower) or re.fullmatch(_NGC, lower):
        return "fixed"
    found = _tag_match(tag)
    moves = any(word in _MOVING for word in words)
    if isinstance(found, str):
        return "fixed"
    if found is not None:
        full = found["release"].count(".") >= 2
        return "fixed" if full and not moves else "floating" if words[0] in _MOVING else "partial"
    if moves or all(word in _VARIANTS or re.fullmatch(r"(?:py|cu|cuda|rocm)\d+", word) for word in words):
        return "floating"
    return "fixed"


def _tag_match(tag: str) -> re.Match[str] | str | None:
    lower = tag.strip().lower() if len(tag) <= LONGEST else ""
    if not lower or re.search(_DESCRIBE, lower) or re.fullmatch(_NGC, lower):
        return None
    build = re.search(_BUILD_TAG, lower)
    if build is not None and all(word in _LEADING for word in lower[: build.start()].split("-") if word):
        return build[1]
    position = 0
    while position < len(lower):
        found = re.compile(_TAG_START).match(lower, position)
        # `89-1.8`: a bare number before a version is a compute capability; a date or a commit is no version.
        word = re.split(r"[-_]", lower[position:], maxsplit=1)[0]
        if found is not None and not (word in _LEADING and position + len(word) < len(lower)):
            number = "." not in found["release"]
            alone = found.end() - found.start() <= len(found["release"]) + 1 and len(found["release"]) <= 4
            return None if re.compile(_DATE).match(lower, position) or (number and not alone) else found
        if word not in _LEADING:
            return None
        position += len(word) + 1
    return None


def _clean(text: object) -> str:
    return text.strip().lower() if isinstance(text, str) and len(text) <= LONGEST else ""


def _match(lower: str, text: object) -> re.Match[str]:
    found = re.fullmatch(_VERSION, lower)
    if found is None:
        raise ValueNotUnderstood(text, "a version", "0.8.5.post1")
    return found


def _canonical(found: re.Match[str]) -> str:
    parts = found.groupdict()
    epoch = f"{int(parts['epoch'])}!" if parts["epoch"] and int(parts["epoch"]) else ""
    word = parts["pre"] or parts.get("short")
    pre = f"{_PRE[word]}{int(parts['pre_n'] or 0)}" if word else ""
    post = f".post{int(parts['post_n'] or 0)}" if parts["post"] else ""
    dev = f".dev{int(parts['dev_n'] or 0)}" if parts["dev"] else ""
    local = "+" + re.sub(r"[-_]", ".", parts["local"]) if parts.get("local") else ""
    return f"{epoch}{parts['release']}{pre}{post}{dev}{local}"


def _key(text: str) -> tuple[object, ...]:
    """The sort key of PEP 440: dev < pre < release < post."""
    lower = _clean(text)
    build = re.fullmatch(_BUILD, lower)
    if build is not None:
        return ("build", int(build[1]))
    parts = _match(lower, text).groupdict()
    release = [int(number) for number in parts["release"].split(".")]
    while len(release) > 1 and release[-1] == 0:
        release.pop()
    post = int(parts["post_n"] or 0) if parts["post"] else -1
    dev = (0, int(parts["dev_n"] or 0)) if parts["dev"] else (1, 0)
    if parts["pre"]:
        pre: tuple[int, str, int] = (1, _PRE[parts["pre"]], int(parts["pre_n"] or 0))
    elif parts["dev"] and not parts["post"]:
        pre = (0, "", 0)
    else:
        pre = (2, "", 0)
    return ("release", int(parts["epoch"] or 0), tuple(release), pre, post, dev)
