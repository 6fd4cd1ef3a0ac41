"""JSON Schemas (2020-12) of the files of golden outputs, written from the structs that are written."""

from __future__ import annotations

from collections.abc import Mapping

from askew.probe import golden
from askew.report.schema import of_struct


def documents() -> Mapping[str, str]:
    """The text of every published schema, by file name."""
    return {
        "golden.v1.json": of_struct(golden.FORMAT, golden.Golden),
        "golden-check.v1.json": of_struct(golden.CHECKED, golden.Checked),
    }
