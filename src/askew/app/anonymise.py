"""Names that tell whose evidence it is, replaced by others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from askew.app.errors import UsageError
from askew.collectors.interface import Evidence
from askew.evidence.redaction import Redactor


def renaming(parts: Sequence[Evidence], redactor: Redactor) -> Callable[[str], str]:
    """Not there yet. Raises UsageError."""
    raise UsageError("--anonymise is not in this build", "leave it out, and look at the bundle before you send it")
