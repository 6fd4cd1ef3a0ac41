"""Outputs of nvidia-smi, rocm-smi and their like to one workload for each source.

A text may hold several outputs, prompts, colours, fences of Markdown and other words: what is none of the known forms
is passed over. What begins as one and is not all there says so.
"""

from __future__ import annotations

import os.path
from collections.abc import Callable, Sequence

from askew.evidence.document import Document
from askew.evidence.location import Location
from askew.platforms.interface import PlatformReading, SourceText, Unread
from askew.platforms.smi import amd, facts, listing, others, query, records, rows, table
from askew.platforms.smi.capture import Capture, Lines
from askew.resolve.observation import Observation
from askew.resolve.workload import Workload

KIND = "Hardware"
EXPECTED = (
    "expected the output of nvidia-smi (the table, -q, -q -x, -L, topo -m, --query-gpu=… --format=csv), rocm-smi, "
    "amd-smi, hl-smi, npu-smi, xpu-smi, neuron-ls or tpu-info"
)


def read(documents: Sequence[Document], texts: Sequence[SourceText]) -> PlatformReading:
    """One workload for all that one source shows; what shows no device is unread, with what was expected."""
    captures: list[Capture] = []
    found: list[Observation] = []
    unread: list[Unread] = []
    for document in documents:
        capture = records.read(document)
        if capture is not None:
            captures.append(capture)
        else:
            unread.append(Unread(document.root.location, EXPECTED))
    for text in texts:
        shown, errors, why = of_text(text.source, text.text)
        captures.extend(shown)
        found.extend(errors)
        if not shown and not errors:
            unread.append(Unread(Location(text.source, line=1, column=1), why or EXPECTED))
    found[:0] = facts.observations(captures)
    if not found:
        unread.extend(Unread(one.at, one.cut or EXPECTED) for one in captures[:1])
        return PlatformReading(unread=tuple(unread))
    source = documents[0].source if documents else texts[0].source
    place = next((at for one in found for at in one.locations), Location(source, line=1, column=1))
    workload = Workload(
        namespace="files",
        kind=KIND,
        name=os.path.basename(source) or source,
        source=source,
        location=place,
        observations=tuple(found),
    )
    return PlatformReading(workloads=(workload,), unread=tuple(unread))


def of_text(source: str, text: str) -> tuple[list[Capture], tuple[Observation, ...], str]:
    """What one text shows: outputs of tools, errors that a driver logged, and why it shows nothing where something
    began that could not be read."""
    lines = Lines(source, text)
    captures, fault = _captures(lines)
    if not captures and (document := _json(source, lines)) is not None:
        capture = records.read(document)
        captures = [capture] if capture is not None else []
    return captures, facts.xid_events(listing.errors(lines)), fault


_FORMS: tuple[tuple[Callable[[str], bool], Callable[[Lines, int], tuple[Capture, int]]], ...] = (
    (table.starts, table.read),
    (query.starts_text, query.read_text),
    (listing.starts_list, listing.read_list),
    (listing.starts_instances, listing.read_instances),
    (listing.starts_version, listing.read_version),
    (listing.shows_none, listing.read_none),
    (amd.starts_log, amd.read_log),
    (amd.starts_lines, amd.read_log),
    (amd.starts_table, amd.read_table),
)


def _captures(lines: Lines) -> tuple[list[Capture], str]:
    found: list[Capture] = []
    fault = ""
    row = 0
    while row < len(lines):
        line = lines[row]
        capture: Capture | None = None
        after = row
        if not line.strip():
            row += 1
            continue
        for starts, read_form in _FORMS:
            if starts(line):
                capture, after = read_form(lines, row)
                break
        else:
            if query.starts_xml(line):
                result, after = query.read_xml(lines, row)
                fault, capture = (result, None) if isinstance(result, str) else (fault, result)
            elif (why := listing.complaint(line)) != "":
                fault, after = why, row + 1
            elif listing.starts_topology(lines, row):
                capture, after = listing.read_topology(lines, row)
            elif amd.starts_blocks(lines, row):
                capture, after = amd.read_blocks(lines, row)
            elif (tool := others.starts(line)) != "":
                capture, after = others.read(lines, row, tool)
            else:
                capture, after = _rows(lines, row)
        if capture is not None:
            found.append(capture)
        row = max(after, row + 1)
    if not found:
        bare = _bare(lines)
        found = [bare] if bare is not None else []
    return found, fault


def _rows(lines: Lines, row: int) -> tuple[Capture | None, int]:
    line = lines[row]
    if (columns := rows.columns_of(line)) != ():
        return rows.read(lines, row, columns, header=True)
    if (columns := rows.of_command(line)) != () and not rows.columns_of(lines[row + 1]):
        return rows.read(lines, row, columns, header=False)
    return None, row


def _bare(lines: Lines) -> Capture | None:
    for row, line in enumerate(lines.lines[:2000]):
        if line.strip() and len(line) < 400:
            capture, _ = rows.read_bare(lines, row)
            if capture is not None:
                return capture
    return None


def _json(source: str, lines: Lines) -> Document | None:
    """The JSON that a text holds, from the first line that opens it to the last that closes it."""
    begin = next((row for row, line in enumerate(lines.lines) if line.lstrip()[:1] in ("{", "[")), None)
    if begin is None:
        return None
    end = max((row for row, line in enumerate(lines.lines) if line.rstrip()[-1:] in ("}", "]")), default=-1)
    if end < begin:
        return None
    from askew.evidence.yaml import read as read_data

    kept = [line if begin <= row <= end else "" for row, line in enumerate(lines.lines)]
    stream = read_data("\n".join(kept), source)
    documents = [document for document in stream if document.root.is_mapping or document.root.is_sequence]
    return documents[0] if len(documents) == 1 and not stream.errors else None
