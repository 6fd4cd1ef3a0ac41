"""Laws of every check, over whatever facts a workload may have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.app import registry
from askew.checks.interface import Check, Needs, Outcome, Subject
from askew.evidence.launch import Launch, Token
from askew.evidence.location import Location
from askew.facts.catalogue import FACTS
from askew.facts.types import Value
from askew.findings.finding import Finding, fingerprint
from askew.resolve.observation import Observation, Origin, Unknown
from askew.resolve.resolve import resolve
from askew.resolve.workload import EngineIdentity, Snapshot, Workload

CHECKS = list(registry.checks())
PLACE = Location("deploy.yaml", path="spec", line=3, column=5)
CITED = Location("https://example.org/default", object="cite defaults")
ENGINES = ("vllm", "sglang", "tgi", "triton", None)
# Values that the examples of facts do not show and that decide about checks.
EXTREMES: dict[str, tuple[Value, ...]] = {
    "runtime.tensor_parallel_size": (16,),
    "runtime.max_model_len": (1, 1048576),
    "hardware.gpu.count": (0,),
    "hardware.gpu.model": (["t4"], ["v100-16gb", "l4"], ["no-such-gpu"], []),
    "serving.request_timeout": (0, 1),
    "serving.buffering": (True,),
    "runtime.image.tag": ("latest", "nightly"),
}


@st.composite
def observations(draw: st.DrawFn, facts: tuple[str, ...]) -> list[Observation]:
    found: list[Observation] = []
    for fact in facts:
        values: list[Value | Unknown] = [*FACTS[fact].examples, *EXTREMES.get(fact, ()), None]
        value = draw(st.sampled_from([*values, Unknown("expanded at run time", text="$(X)"), "unseen"]))
        if value == "unseen":
            continue
        origin: Origin = draw(st.sampled_from(("explicit", "engine-default", "platform-default", "derived")))
        places = draw(st.sampled_from(((PLACE,), (CITED,), ())))
        canonical = value if isinstance(value, Unknown) else FACTS[fact].type.parse(value)
        found.append(Observation(fact=fact, value=canonical, origin=origin, locations=places))
    return found


def subject(found: list[Observation], engine: str | None) -> Subject:
    launch = Launch(argv=(Token("vllm", PLACE), Token("serve", PLACE)), location=PLACE)
    workload = Workload(namespace="prod", kind="Deployment", name="llm", location=PLACE)
    identity = EngineIdentity(name=engine) if engine else None
    return Subject(
        snapshot=Snapshot(
            workload=workload, id=workload.id, facts=resolve(found), engine=identity, launch=launch, problems=()
        )
    )


def outcomes(one: Check, about: Subject) -> list[Outcome]:
    return list(one.run(about))


@pytest.mark.parametrize("one", CHECKS, ids=lambda one: one.id)
@given(data=st.data(), engine=st.sampled_from(ENGINES))
def test_any_facts_give_a_proven_answer(one: Check, data: st.DataObject, engine: str | None) -> None:
    about = subject(data.draw(observations(one.facts)), engine)
    seen: set[str] = set()
    for outcome in outcomes(one, about):
        if isinstance(outcome, Needs):
            assert outcome.fact in FACTS
            continue
        assert outcome.rule == one.id and outcome.workload == about.snapshot.id
        assert outcome.summary and outcome.impact and outcome.remedies
        assert any(at.line for at in outcome.locations), "shown at a place in the user's own sources"
        assert fingerprint(outcome) not in seen, "two findings that nobody could tell apart"
        seen.add(fingerprint(outcome))
    assert outcomes(one, about) == outcomes(one, about)


@pytest.mark.parametrize("one", CHECKS, ids=lambda one: one.id)
@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_seen_is_nothing_found(one: Check, engine: str | None) -> None:
    """A workload of which nothing is known gives no finding."""
    assert not [outcome for outcome in outcomes(one, subject([], engine)) if isinstance(outcome, Finding)]


@pytest.mark.parametrize("one", CHECKS, ids=lambda one: one.id)
def test_what_is_unknown_is_never_found_wanting(one: Check) -> None:
    """Every fact that the check reads is unknown by an expression: it may ask, it must not claim."""
    unknown = Unknown("expanded at run time", text="$(X)")
    found = [Observation(fact=fact, value=unknown, origin="explicit", locations=(PLACE,)) for fact in one.facts]
    assert not [outcome for outcome in outcomes(one, subject(found, "vllm")) if isinstance(outcome, Finding)]
