"""Arguments of engines that read them with clap, as Hugging Face's servers do: https://docs.rs/clap/4"""

from __future__ import annotations

import re

from askew.engines.flags import Flag
from askew.facts.types import Value


def clap_flag(name: str, **rest: object) -> Flag:
    """A flag whose variable is its name in capitals, as clap derives it. ``short``: its one-letter names."""
    variable = name.lstrip("-").replace("-", "_").upper()
    return Flag(names=(name, *rest.pop("short", ())), env=variable, **rest)  # type: ignore[arg-type, misc]  # fields of Flag


def integer(words: tuple[str, ...]) -> Value:
    """Rust's ``usize::from_str``: digits only, with an optional plus sign."""
    if re.fullmatch(r"\+?[0-9]{1,18}", words[0]):
        return int(words[0])
    raise ValueError(f"expected a whole number of zero or more, digits only, got {words[0]!r}")


def boolean(words: tuple[str, ...]) -> Value:
    """clap's ``BoolValueParser``: exactly ``true`` or ``false``."""
    if words[0] in ("true", "false"):
        return words[0] == "true"
    raise ValueError(f"expected true or false, got {words[0]!r}")


def present(words: tuple[str, ...]) -> Value:
    """Whether something was given at all: a key, whatever it is."""
    return bool(words[0])
