"""``requirements.txt``, the output of ``pip freeze`` and ``pip list``, and conda's lists, line by line.

Sources: https://pip.pypa.io/en/stable/reference/requirements-file-format/,
https://packaging.python.org/en/latest/specifications/dependency-specifiers/ and
https://docs.conda.io/projects/conda-build/en/stable/resources/package-spec.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from askew.evidence.document import Node
from askew.evidence.location import Location
from askew.platforms.packages.pin import LOOK, Pin
from askew.resolve.observation import Unknown

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,200}[A-Za-z0-9])?"
_LINE = re.compile(rf"\s*({_NAME})\s*(?:\[[^\]]{{0,500}}\])?\s*(.{{0,2000}})")
_EXACT = re.compile(r"\(?\s*===?\s*([A-Za-z0-9][A-Za-z0-9.!+_-]{0,200})\s*\)?")
_LISTED = re.compile(rf"({_NAME})[ \t]+v?(\d[A-Za-z0-9.!+_-]{{0,100}})(?:[ \t]+\S.*)?\s*")  # pip list, conda list
_WHEEL = re.compile(rf"/({_NAME})-(\d[A-Za-z0-9.!+_]{{0,100}})-[^/\s]*\.whl")
_ARCHIVE = re.compile(rf"/({_NAME})-(\d[A-Za-z0-9.!+_]{{0,100}})-[^-/\s]{{1,100}}\.(?:conda|tar\.bz2)(?:#|\s|$)")
_CONDA = re.compile(rf"(?:[^\s:]{{1,200}}::)?({_NAME})\s*(?:(==?)\s*([^=\s,|<>!]{{1,100}})(?:=(\S{{1,100}}))?|(.*))")
_MOST_LINES = 100_000


def of_text(text: str, source: str) -> Iterator[Pin]:
    """Every package that a text names, in its order. Lines that name none (options, links to other files) are passed
    over."""
    table = False
    for number, line in enumerate(text.split("\n", _MOST_LINES)[:_MOST_LINES], start=1):
        stripped = line.split(" #", 1)[0].strip()
        if not stripped or stripped.startswith("#"):
            continue
        place = Location(source, line=number, column=len(line) - len(line.lstrip()) + 1)
        if re.fullmatch(r"-{3,}[- ]*", stripped):
            table = True  # what pip list puts below its head
            continue
        if (archive := _ARCHIVE.search(stripped)) is not None and "://" in stripped:
            yield Pin(archive[1], archive[2], place)
            continue
        if stripped.startswith(("-", "--")) or stripped.startswith(("@", "http://", "https://", "./", "/", "git+")):
            continue
        listed = _LISTED.fullmatch(stripped)
        if listed is not None and (table or not stripped.endswith("\\")) and "=" not in stripped:
            yield Pin(listed[1], listed[2], place)
            continue
        if (pin := of_requirement(stripped, place)) is not None:
            yield pin


def of_requirement(text: str, place: Location) -> Pin | None:
    """One requirement: ``name[extra]==1.2 ; marker``. None for what is no requirement."""
    wanted, _, marker = text.split(" --", 1)[0].rstrip("\\ \t").partition(";")
    match = _LINE.fullmatch(wanted)
    if match is None:
        return None
    name, rest = match[1], match[2].strip()
    if rest and rest[0] not in "=<>!~@(":
        return None
    doubt = f"where {marker.strip()}" if marker.strip() else ""
    if rest.startswith("@"):
        wheel = _WHEEL.search(rest)
        version = wheel[2] if wheel else Unknown("taken from an address, which tells no version", LOOK)
        return Pin(name, version, place, doubt)
    exact = _EXACT.fullmatch(rest)
    if exact is not None and "*" not in rest:
        return Pin(name, exact[1], place, doubt)
    reason = f"a range, no pin: {rest}" if rest else "no version is pinned"
    return Pin(name, Unknown(reason, LOOK, rest), place, doubt)


def of_conda(root: Node) -> Iterator[Pin]:
    """``environment.yml`` or ``conda.yaml``: the packages of conda, and those of pip inside."""
    for entry in list(root["dependencies"].each())[:_MOST_LINES]:
        text = entry.text()
        if text is not None:
            if (pin := _of_conda(text, entry.location)) is not None:
                yield pin
            continue
        for one in list(entry["pip"].each())[:_MOST_LINES]:
            if (pin := of_requirement(one.text() or "", one.location)) is not None:
                yield pin


def _of_conda(text: str, place: Location) -> Pin | None:
    match = _CONDA.fullmatch(text.strip())
    if match is None:
        return None
    name, sign, version, build, rest = match.groups()
    if sign and "*" not in version and (sign == "==" or build or version.count(".") > 1):
        return Pin(name, version, place)
    wanted = (sign + version if sign else (rest or "")).strip()
    reason = f"a range, no pin: {wanted}" if wanted else "no version is pinned"
    return Pin(name, Unknown(reason, LOOK, wanted), place)
