"""``askew.toml``: waivers and defaults of the command line, in the working directory."""

from __future__ import annotations

import os

import msgspec

from askew.app.errors import UsageError
from askew.evidence.location import Location
from askew.facts.types import SEVERITIES, Severity
from askew.findings.finding import Waiver

NAME = "askew.toml"


class WaiverRule(msgspec.Struct, frozen=True, kw_only=True):
    """Which findings a waiver accepts: globs over the rule, the workload's id and the fact; empty matches all."""

    waiver: Waiver
    rule: str
    workload: str = ""
    fact: str = ""


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one run. Flags of the command line win over these."""

    waivers: tuple[WaiverRule, ...] = ()
    fail_on: Severity | None = None
    ignore: tuple[str, ...] = ()
    against: str = ""
    plugins: bool = False
    path: str = ""


class _Waiver(msgspec.Struct, forbid_unknown_fields=True):
    rule: str
    reason: str
    workload: str = ""
    fact: str = ""
    owner: str = ""
    expires: str = ""


class _File(msgspec.Struct, forbid_unknown_fields=True, rename="kebab"):
    waiver: list[_Waiver] = []
    fail_on: str = ""
    ignore: list[str] = []
    against: str = ""
    plugins: bool = False


def load(directory: str = ".") -> Config:
    """Read ``askew.toml`` of a directory; an empty configuration where there is none.

    Raises UsageError, with file and line where it can, for a file that is not valid TOML or says what Askew
    does not know.
    """
    path = os.path.join(directory, NAME)
    if not os.path.isfile(path):
        return Config()
    import tomllib

    shown = os.path.normpath(path)
    try:
        with open(path, "rb") as file:
            raw = tomllib.load(file)
        parsed = msgspec.convert(_dated(raw), _File)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(
            f"{shown}: not valid TOML: {error}", "see the waivers page of the documentation for a working file"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{shown}: cannot be read: {error}", "give the file read permission, and UTF-8 text") from None
    except msgspec.ValidationError as error:
        raise UsageError(
            f"{shown}: {error}",
            "known are: fail-on; ignore; against; plugins; "
            "[[waiver]] with rule, reason, workload, fact, owner, expires",
        ) from None
    if parsed.fail_on and parsed.fail_on not in SEVERITIES:
        raise UsageError(f"{shown}: fail-on is '{parsed.fail_on}'", f"use one of: {', '.join(SEVERITIES)}")
    lines = _lines(path)
    waivers = tuple(_waiver(entry, shown, lines, index) for index, entry in enumerate(parsed.waiver))
    return Config(
        waivers=waivers,
        fail_on=parsed.fail_on if parsed.fail_on in SEVERITIES else None,
        ignore=tuple(parsed.ignore),
        against=parsed.against,
        plugins=parsed.plugins,
        path=shown,
    )


def _dated(raw: dict[str, object]) -> dict[str, object]:
    """TOML has dates of its own; the file may use them or text."""
    entries = raw.get("waiver")
    if isinstance(entries, list):
        for entry in entries:
            if isinstance(entry, dict) and "expires" in entry:
                entry["expires"] = str(entry["expires"])
    return raw


def _lines(path: str) -> list[int]:
    with open(path, encoding="utf-8") as file:
        return [number for number, line in enumerate(file, 1) if line.strip().replace(" ", "").startswith("[[waiver]]")]


def _waiver(entry: _Waiver, shown: str, lines: list[int], index: int) -> WaiverRule:
    line = lines[index] if index < len(lines) else 0
    at = f"{shown}:{line}" if line else shown
    if not entry.reason.strip():
        raise UsageError(
            f"{at}: a waiver for '{entry.rule}' has no reason",
            "say in `reason` why this is fine, for whoever reads it next year",
        )
    if entry.expires and not is_date(entry.expires):
        raise UsageError(f"{at}: expires is '{entry.expires}'", "write a date as 2026-12-31")
    waiver = Waiver(
        reason=entry.reason,
        owner=entry.owner,
        expires=entry.expires,
        location=Location(source=shown, line=line, column=1 if line else 0),
    )
    return WaiverRule(waiver=waiver, rule=entry.rule, workload=entry.workload, fact=entry.fact)


def is_date(text: str) -> bool:
    """Whether text is an ISO date, ``2026-12-31``."""
    from datetime import date

    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
