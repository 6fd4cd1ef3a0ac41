"""What was only seen at work contradicts what was asked for, and nothing that was left open."""

from __future__ import annotations

import pytest

from askew.compare.compare import Mode, compare
from askew.evidence.location import Location
from askew.resolve.observation import Basis, Observation, Origin, Unknown
from askew.resolve.resolve import resolve
from askew.resolve.workload import Snapshot, Workload

AT = Location("a.yaml", line=1)
DIGEST = f"sha256:{'ab' * 32}"


def snapshot(value: str | Unknown, origin: Origin, basis: Basis) -> Snapshot:
    workload = Workload(namespace="prod", kind="Deployment", name="llm", location=AT)
    one = Observation(fact="runtime.image.digest", value=value, origin=origin, basis=basis, locations=(AT,))
    return Snapshot(workload=workload, id=workload.id, facts=resolve([one]))


SEEN = snapshot(DIGEST, "reported", "seen")
PINNED = snapshot(DIGEST, "explicit", "asked")
OTHER = snapshot(f"sha256:{'cd' * 32}", "reported", "seen")
OPEN = snapshot(Unknown("the image is not pinned by digest"), "explicit", "asked")
APART = snapshot(Unknown("the pods run different images"), "reported", "seen")


@pytest.mark.parametrize(("mode",), [("peers",), ("contract",)])
def test_a_digest_that_runs_is_no_difference_from_a_tag(mode: Mode) -> None:
    assert compare(OPEN, SEEN, mode).differences == ()
    found = compare(SEEN, OPEN, mode)
    assert found.differences == ()
    assert [one.fact.key for one in found.unverified] == ["runtime.image.digest"], "the tag does not show it"


def test_a_digest_that_was_asked_for_is_one() -> None:
    for left, right in ((PINNED, OPEN), (OPEN, PINNED)):
        assert [one.confidence for one in compare(left, right).differences] == ["possible"]
    assert [one.confidence for one in compare(PINNED, OTHER).differences] == ["certain"]


def test_pods_that_differ_may_contradict_what_was_seen() -> None:
    assert [one.confidence for one in compare(SEEN, APART).differences] == ["possible"]
