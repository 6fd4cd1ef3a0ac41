"""Whether a model fits, for people and as ``askew/fit/v1``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

import msgspec

from askew.report.present import clean
from askew.report.style import NARROWEST, Style, wrap

FIT_FORMAT = "askew/fit/v1"
Verdict: TypeAlias = Literal["fits", "marginal", "does-not-fit", "unknown"]

_GIB = 1 << 30
_COLOURS: dict[Verdict, str] = {"fits": "32", "marginal": "33", "does-not-fit": "31", "unknown": "36"}


class Missing(msgspec.Struct, frozen=True):
    """A fact without which there is no verdict, why it is not known, and how to see it."""

    fact: str
    reason: str
    observe_with: str


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """The least times that the device allows at one request; real ones are longer. Seconds."""

    decode_seconds_per_token: float
    prefill_seconds_per_1000_tokens: float


class ColdStart(msgspec.Struct, frozen=True, kw_only=True):
    """About how long a start takes with weights on a fast disk, and a first start that fetches them. Seconds; pulling
    the image, which no source shows, comes on top.
    """

    weights_bytes: int
    from_disk_seconds: float
    with_download_seconds: float


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """The budget of one device. Sizes are bytes; all of it is derived.

    ``kv_bytes`` is what remains for the cache, ``kv_tokens`` what it holds, ``max_concurrency`` how many requests of
    ``request_tokens`` at once. ``budget_bytes`` is what the engine may take of ``memory_bytes``.
    """

    schema: str = FIT_FORMAT
    workload: str = ""
    verdict: Verdict
    because: str = ""
    weights_bytes: int = 0
    kv_bytes: int = 0
    kv_bytes_per_token: int = 0
    kv_tokens: int = 0
    max_concurrency: float = 0.0
    activation_bytes: int = 0
    overhead_bytes: int = 0
    memory_bytes: int = 0
    budget_bytes: int = 0
    request_tokens: int = 0
    per: str = "device"
    bounds: Bounds | None = None
    cold_start: ColdStart | None = None
    assumed: tuple[str, ...] = ()
    missing: tuple[Missing, ...] = ()


def render_fit(found: Fit, format: str, *, color: bool = False, width: int = 100) -> str:
    """The budget as text or json. Raises ValueError for another format."""
    if format == "json":
        return msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n"
    if format != "text":
        raise ValueError(f"there is no format {format!r} for a budget; choose text or json")
    return "\n".join(_text(found, Style(color), max(width, NARROWEST))) + "\n"


def _text(found: Fit, style: Style, width: int) -> Iterator[str]:
    yield style.paint(clean(found.workload), "1")
    yield ""
    for name, size, note in (
        ("weights", found.weights_bytes, ""),
        ("one step", found.activation_bytes, "logits, hidden states, experts"),
        ("outside", found.overhead_bytes, "CUDA, communication between devices"),
        ("KV cache", found.kv_bytes, _cache(found)),
        ("budget", found.budget_bytes, "what the engine may take"),
        ("memory", found.memory_bytes, "of one device"),
    ):
        if size:
            yield f"  {name:<9} {size / _GIB:>8.2f} GiB" + (f"  {note}" if note else "")
    if found.bounds is not None:
        yield ""
        yield "  at best, by bandwidth and arithmetic of the device; real times are longer:"
        yield f"    {found.bounds.decode_seconds_per_token * 1e3:.1f} ms per token of one request"
        yield f"    {found.bounds.prefill_seconds_per_1000_tokens * 1e3:.1f} ms until the first token of 1000 tokens"
    if (start := found.cold_start) is not None:
        yield ""
        yield f"  a start reads {start.weights_bytes / 1e9:.1f} GB of weights, after the image was pulled; about"
        yield f"    {start.from_disk_seconds:.0f} s from a disk with 2 GB/s"
        yield f"    {start.with_download_seconds:.0f} s if it fetches them with 250 MB/s"
    for one in found.assumed:
        yield from wrap(f"assumed: {clean(one)}", width, "  ", style, "2")
    for missing in found.missing:
        yield from wrap(f"missing: {missing.fact}: {clean(missing.reason)}", width, "  ", style)
        if missing.observe_with:
            yield from wrap(f"see: {clean(missing.observe_with)}", width, "    ", style, "2")
    yield ""
    verdict = style.paint(found.verdict, _COLOURS[found.verdict])
    yield f"{verdict}: {clean(found.because)}" if found.because else verdict


def _cache(found: Fit) -> str:
    if not found.kv_tokens:
        return f"{found.kv_bytes_per_token} bytes per token" if found.kv_bytes_per_token else ""
    return f"{found.kv_tokens} tokens, {found.max_concurrency:g} requests of {found.request_tokens} at once"
