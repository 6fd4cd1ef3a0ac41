"""``src/askew/report/schemas``: the JSON Schemas of the report and the facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from askew.report.schema import documents

_FOLDER = Path(__file__).resolve().parents[2] / "src" / "askew" / "report" / "schemas"


def _text(name: str) -> str:
    return documents()[name]


OUTPUTS: Mapping[Path, Callable[[], str]] = {_FOLDER / name: partial(_text, name) for name in documents()}
