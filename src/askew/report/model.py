"""What every report says, whatever its format. The wire format (``report/wire.py``) is written from this, apart."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from askew.facts.types import Severity
from askew.findings.finding import Finding
from askew.resolve.workload import EngineIdentity, Member

Verdict: TypeAlias = Literal["aligned", "skewed", "incomplete"]
Role: TypeAlias = Literal["reference", "target"]
Presence: TypeAlias = Literal["both", "added", "removed"]


class SourceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How the collection of one source ended. ``files`` counts what was read."""

    role: Role
    uri: str
    status: Literal["complete", "partial", "failed", "skipped"]
    reason: str = ""


class UnknownFact(msgspec.Struct, frozen=True, kw_only=True):
    """A fact that the reference states, or a check needed, and that a side does not show."""

    fact: str
    side: Role
    reason: str
    observe_with: str = ""
    key: str = ""


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """Of what the reference declares, how much was verified in the target."""

    declared: int = 0
    verified: int = 0
    unknown: int = 0


class WorkloadReport(msgspec.Struct, frozen=True, kw_only=True):
    """Findings about one workload, or one pair of workloads."""

    id: str
    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    reference_id: str = ""
    engine: EngineIdentity | None = None
    reference_engine: EngineIdentity | None = None
    presence: Presence = "both"
    members: tuple[Member, ...] = ()
    unknown: tuple[UnknownFact, ...] = ()
    coverage: Coverage = Coverage()


class InputError(msgspec.Struct, frozen=True, kw_only=True):
    """An input that could not be read."""

    source: str
    message: str
    hint: str
    line: int = 0
    column: int = 0


class Assumption(msgspec.Struct, frozen=True, kw_only=True):
    """What the user supplied with ``--assume``, in canonical form as text."""

    fact: str
    value: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One run of ``diff`` or ``check``. ``generated_at`` is RFC 3339 in UTC; ``findings`` are sorted worst first."""

    command: str
    verdict: Verdict
    sources: tuple[SourceStatus, ...]
    workloads: tuple[WorkloadReport, ...]
    fail_on: Severity = "medium"
    assumed: tuple[Assumption, ...] = ()
    errors: tuple[InputError, ...] = ()
    notes: tuple[str, ...] = ()
    generated_at: str = ""
    tool_version: str = ""
