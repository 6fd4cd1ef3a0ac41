"""The JSON Schemas of the report, the facts, the lock and golden outputs, each beside the package that writes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from askew.contract.schema import lock_schema
from askew.probe.schema import documents as golden_documents
from askew.report.schema import documents

_SOURCE = Path(__file__).resolve().parents[2] / "src" / "askew"
_FOLDER = _SOURCE / "report" / "schemas"


def _text(name: str) -> str:
    return documents()[name]


def _golden(name: str) -> str:
    return golden_documents()[name]


OUTPUTS: Mapping[Path, Callable[[], str]] = {
    **{_FOLDER / name: partial(_text, name) for name in documents()},
    **{_SOURCE / "probe" / "schemas" / name: partial(_golden, name) for name in golden_documents()},
    _SOURCE / "contract" / "schemas" / "lock.v1.json": lock_schema,
}
