"""Amounts of memory, CPU and devices: one function for each dialect, since `1g`, `1G` and `1Gi` differ between them.

All arithmetic is exact, on integers; only a fractional result becomes a float, once, at the end.
"""

from __future__ import annotations

import re

from askew.facts.values.errors import LONGEST, ValueNotUnderstood

UNLIMITED = "unlimited"

# A power that no machine has: bounds the work on input such as 1e999999999.
_MAX_EXPONENT = 60

# k8s.io/apimachinery/pkg/api/resource: <sign><digits>[.<digits>] and a binary, decimal or exponent suffix.
_KUBERNETES = r"(?a)([+-]?)(\d+\.?\d*|\.\d+)(?:(Ki|Mi|Gi|Ti|Pi|Ei)|([numkMGTPE]?)|[eE]([+-]?\d+))"
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}

_SIZE = r"(?ai)(\d+\.?\d*|\.\d+) ?([a-z]*)"
_POWERS = "kmgtpe"

# From 2**63 on the server stores its largest number instead (resource.Quantity: "capped").
_LARGEST = 2**63 - 1


def cores(value: object) -> int | float:
    """CPU cores of a Kubernetes quantity: `500m` is 0.5, `2` is 2.

    Rounded up to the thousandth of a core, as the scheduler does (Quantity.MilliValue). Raises ValueNotUnderstood.
    """
    numerator, denominator = _quantity(value, "a CPU quantity", "2 or 500m")
    milli = _ceil(numerator * 1000, denominator)
    return milli // 1000 if milli % 1000 == 0 else milli / 1000


def bytes_(value: object) -> int:
    """Bytes of a Kubernetes memory or storage quantity: `1Gi`, `0.5Gi`, `1e3`, `128974848000m`.

    Rounded up to a whole byte, as the server does (Quantity.Value). Raises ValueNotUnderstood.
    """
    numerator, denominator = _quantity(value, "a memory quantity", "16Gi or 500M")
    return min(_ceil(numerator, denominator), _LARGEST)


def count(value: object) -> int:
    """A whole number of devices, written as a Kubernetes quantity: `1`, `1000m`, `1k`.

    The API server refuses a fraction of an extended resource; so does this, with ValueNotUnderstood.
    """
    numerator, denominator = _quantity(value, "a whole number of devices", "1")
    if numerator % denominator:
        raise ValueNotUnderstood(
            value, "a whole number of devices", "1", "devices are not divisible; MIG or sharing is"
        )
    return min(numerator // denominator, _LARGEST)


def nginx_size(value: object) -> int | str:
    """Bytes of an nginx size such as client_max_body_size: `8m` is 8 MiB; k, m and g are binary, in either case.

    `0` switches the check off and is "unlimited". Source: ngx_parse_offset in nginx src/core/ngx_parse.c;
    nginx.org/en/docs/http/ngx_http_core_module.html#client_max_body_size.
    """
    number, unit = _split(value, "an nginx size", "8m")
    power = "kmg".find(unit.lower()) + 1 if unit else 0
    if not number.isdecimal() or (unit and not power):
        raise ValueNotUnderstood(value, "an nginx size", "8m", "nginx knows whole numbers with k, m or g")
    size = int(number) * 1024**power
    return size or UNLIMITED


def docker_size(value: object) -> int | str:
    """Bytes of a Docker or Compose size such as shm_size: `16gb`, `64m`, `1GiB` are all binary; -1 is "unlimited".

    Source: RAMInBytes in github.com/docker/go-units size.go, which compose-go uses for byte values.
    """
    if value in (-1, "-1"):
        return UNLIMITED
    number, unit = _split(value, "a Docker size", "16gb")
    unit = unit.lower()
    prefix = unit.removesuffix("ib") if len(unit) == 3 else unit.removesuffix("b")
    if len(prefix) > 1 or (prefix and prefix not in "kmgtp"):
        raise ValueNotUnderstood(value, "a Docker size", "16gb", "units are b, k, m, g, t and p")
    numerator, denominator = _decimal(number)
    power = "kmgtp".index(prefix) + 1 if prefix else 0
    return int(numerator * 1024**power // denominator)


def byte_size(value: object) -> int:
    """Bytes of a size whose unit leaves no doubt: `80 GB` is decimal, `79.1 GiB` is binary, `1024` is bytes.

    For what people and tools write outside the other dialects (nvidia-smi's `81559 MiB`, model cards). A bare `k`, `m`
    or `g` means 1000 to some programs and 1024 to others, so it is refused. A fraction of a byte is rounded down.
    """
    number, unit = _split(value, "a size", "16 GiB or 16 GB")
    lower = unit.lower()
    numerator, denominator = _decimal(number)
    if lower in ("", "b", "byte", "bytes"):
        return numerator // denominator
    if lower[0] in _POWERS and lower[1:] in ("ib", "b"):
        base = 1024 if lower[1:] == "ib" else 1000
        power = _POWERS.index(lower[0]) + 1
        return int(numerator * base**power // denominator)
    raise ValueNotUnderstood(value, "a size", "16 GiB or 16 GB", "write the unit in full: GB is 1000³, GiB is 1024³")


def gib(value: object) -> int:
    """Bytes of a plain number of GiB, as in vLLM `--swap-space 4` and `--cpu-offload-gb 10` (1 GiB is 2**30 bytes).

    Source: vLLM CacheConfig, which multiplies both by GiB_bytes. A fraction of a byte is rounded down.
    """
    number, unit = _split(value, "a number of GiB", "4")
    if unit:
        raise ValueNotUnderstood(value, "a number of GiB", "4", "this setting takes no unit")
    numerator, denominator = _decimal(number)
    return numerator * 2**30 // denominator


def _quantity(value: object, expected: str, example: str) -> tuple[int, int]:
    """The quantity as an exact fraction of two integers, the denominator positive."""
    # A JSON or YAML number reaches the server as its text; repr() of a Python number is that text.
    text = value if isinstance(value, str) else repr(value)
    match = None if isinstance(value, bool) or len(text) > LONGEST else re.fullmatch(_KUBERNETES, text)
    if match is None:
        raise ValueNotUnderstood(value, expected, example, _suffix_hint(text))
    sign, number, binary, decimal, exponent = match.groups()
    numerator, denominator = _decimal(number)
    if sign == "-" and numerator:
        raise ValueNotUnderstood(value, expected, example, "it cannot be negative")
    if binary:
        return numerator * 1024 ** _BINARY[binary], denominator
    power = int(exponent) if exponent else _DECIMAL[decimal or ""]
    if abs(power) > _MAX_EXPONENT:
        raise ValueNotUnderstood(value, expected, example, "the exponent is out of range")
    return (numerator * 10**power, denominator) if power >= 0 else (numerator, denominator * 10**-power)


def _suffix_hint(text: str) -> str:
    tail = text.lstrip("+-.0123456789 ")
    if tail[:1] == "K":
        return "Kubernetes writes k (1000) or Ki (1024)"
    if tail.lower().endswith("b") and len(tail) <= 3:
        return "Kubernetes suffixes have no B: write Gi or G"
    return ""


def _split(value: object, expected: str, example: str) -> tuple[str, str]:
    text = value.strip() if isinstance(value, str) else repr(value)
    match = None if isinstance(value, bool) or len(text) > LONGEST else re.fullmatch(_SIZE, text)
    if match is None:
        raise ValueNotUnderstood(value, expected, example)
    return match[1], match[2]


def _decimal(number: str) -> tuple[int, int]:
    whole, _, fraction = number.partition(".")
    return int(whole + fraction), 10 ** len(fraction)


def _ceil(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
