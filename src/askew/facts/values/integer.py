"""Whole numbers as engines read them from a command line."""

from __future__ import annotations

import re

from askew.facts.values.errors import LONGEST, ValueNotUnderstood

# vLLM `human_readable_int` (vllm/engine/arg_utils.py, later vllm/utils/argparse_utils.py): a lower-case suffix is
# decimal and may follow a decimal number, an upper-case suffix is binary and may not. t and T came later than k, m
# and g.
_HUMAN = r"(?a)(\d+(?:\.\d+)?)([kKmMgGtT])"
_DECIMAL = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_WRITTEN = r"(?a)[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d{1,2})?"


def python_integer(value: object) -> int:
    """A whole number as argparse's `type=int` reads it: `8192`, `-1`, `1_000`; not `1e5`, not `8k`.

    SGLang and most vLLM flags do so. Source: docs.python.org/3/library/functions.html#int. Raises ValueNotUnderstood.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    try:
        if isinstance(value, str) and len(value) <= LONGEST:
            return int(value)
    except ValueError:
        pass
    raise ValueNotUnderstood(value, "a whole number", "8192", _hint(value))


def engine_integer(value: object, *, auto: bool = False) -> int | str:
    """A whole number as vLLM reads its sizes, such as `--max-model-len`: `32k` is 32000, `32K` is 32768.

    `25.6k` is 25600; a decimal number before an upper-case suffix is refused, as is `1e5`. With `auto`, the words
    "auto" and "-1" mean "auto" (human_readable_int_or_auto, for `--max-model-len`). Raises ValueNotUnderstood.
    """
    text = value.strip() if isinstance(value, str) else ""
    if auto and (value == -1 or text == "-1" or text.lower() == "auto"):
        return "auto"
    match = re.fullmatch(_HUMAN, text) if len(text) <= 64 else None
    if match is None:
        return python_integer(value)
    number, suffix = match.groups()
    if suffix in _DECIMAL:
        # The engine multiplies floats and cuts; so does this, or 1.001k would differ from what runs.
        return int(float(number) * _DECIMAL[suffix])
    if "." in number:
        raise ValueNotUnderstood(value, "a whole number", "32k", f"a decimal number needs the suffix {suffix.lower()}")
    return int(number) * _BINARY[suffix]


def written_integer(value: object) -> int:
    """A whole number as people write it in contracts and assumptions: `8192`, `1e5`, `100_000`, 8192.0.

    No suffixes: `8k` is 8000 to some programs and 8192 to others. Raises ValueNotUnderstood.
    """
    text = value.strip().replace("_", "") if isinstance(value, str) else repr(value)
    if not isinstance(value, bool) and len(text) <= 64 and re.fullmatch(_WRITTEN, text):
        mantissa, _, exponent = text.lower().partition("e")
        whole, _, fraction = mantissa.partition(".")
        power = int(exponent or 0) - len(fraction)
        number = int(whole + fraction)
        if power >= 0:
            return number * int(10**power)
        # Exact division: 1.5 and 1e-2 are no whole numbers, 8192.0 is.
        result, rest = divmod(number, int(10**-power))
        if not rest:
            return result
    raise ValueNotUnderstood(value, "a whole number", "8192 or 1e5")


def _hint(value: object) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if len(text) <= 64 and re.fullmatch(_HUMAN, text):
        return "this setting takes no suffix: write the number in full"
    if len(text) <= 64 and re.fullmatch(_WRITTEN, text):
        return "Python's int() takes neither exponent nor decimal point: write the number in full"
    return ""
