"""Every engine that runs passes the kit that plug-in authors get; and the kit notices what is wrong."""

from __future__ import annotations

from importlib import import_module
from itertools import count
from pathlib import Path

import msgspec
import pytest

from askew.engines._live import ENDPOINTS, LOGS, METERS
from askew.engines.live import Ask, Endpoints, Log, Meter, Meters
from askew.engines.reported import named, root
from askew.evidence.told import Told
from askew.resolve.observation import Observation
from askew.testing.live import Replies, endpoints_conform, log_conforms, meters_conform
from tests.engines.answers import CASES
from tests.engines.metrics import vllm
from tests.engines.test_meters import OTHERS

NUMBERS = count()
FOLDERS = Path(__file__).parents[1] / "engines"


def replies(engine: str, *, others: bool = False) -> list[Replies]:
    """What this engine answers, or what all others do; refusals are left out."""
    return [
        {name: one for name, one in case.answers.items() if not isinstance(one, int)}
        for case in CASES
        if (case.engine == engine) is not others
    ]


@pytest.mark.parametrize("engine", ENDPOINTS)
def test_endpoints_conform(engine: str) -> None:
    endpoints = import_module(ENDPOINTS[engine]).ENDPOINTS
    endpoints_conform(engine, endpoints, replies(engine), replies(engine, others=True))


@pytest.mark.parametrize("engine", LOGS)
def test_logs_conform(engine: str) -> None:
    folder = FOLDERS / engine.replace("-", "_").replace(".", "_") / "logs"
    own = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.log"))]
    log_conforms(engine, import_module(LOGS[engine]).LOG, own, ["INFO: ready", "<html>", '{"a": 1}'])


@pytest.mark.parametrize("engine", [*sorted(METERS.keys() & OTHERS.keys()), "vllm"])
def test_meters_conform(engine: str) -> None:
    own = vllm(1000, 500) if engine == "vllm" else OTHERS[engine][0]
    meters_conform(engine, import_module(METERS[engine]).METERS, [own], ["python_info 1", "# nothing"])


TINY = {"/tiny": {"engine": "tiny", "version": "1.2"}}


def speaks(answers: object) -> bool:
    return root(answers, "/tiny")["engine"].value == "tiny"  # type: ignore[arg-type]


def read(answers: object) -> tuple[Observation, ...]:
    return (named("tiny", "Tiny", root(answers, "/tiny")),)  # type: ignore[arg-type]


GOOD = Endpoints(asks=lambda answers: (Ask("/tiny"),), speaks=speaks, read=read)


def test_an_engine_of_somebody_else_conforms() -> None:
    endpoints_conform("tiny", GOOD, [TINY], [case.answers for case in CASES])


def unseen(answers: object) -> tuple[Observation, ...]:
    return tuple(msgspec.structs.replace(one, basis="asked") for one in read(answers))


def raises(answers: object) -> tuple[Observation, ...]:
    answer = answers.get("/tiny")  # type: ignore[attr-defined]
    if answer is not None and answer.document is not None:
        answer.document.root["version"].value.strip()
    return read(answers)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"speaks": lambda answers: True}, "where nobody answers"),
        ({"speaks": lambda answers: "/tiny" in answers, "others": True}, "what another answers"),
        ({"speaks": lambda answers: False}, "not recognised in its own"),
        ({"read": unseen}, "what runs is seen"),
        ({"read": lambda answers: ()}, "calls itself nothing"),
        ({"asks": lambda answers: (Ask("tiny"),)}, "no path"),
        ({"asks": lambda answers: (Ask("/tiny"), Ask(f"/{next(NUMBERS)}"))}, "still asks"),
    ],
)
def test_the_kit_notices_what_is_wrong_with_endpoints(wrong: dict[str, object], says: str) -> None:
    others = [{"/tiny": {"engine": "another"}}] if wrong.pop("others", None) else []
    endpoints = msgspec.structs.replace(GOOD, **wrong)
    with pytest.raises(AssertionError, match=says):
        endpoints_conform("tiny", endpoints, [TINY], others)


def test_what_raises_for_some_answer_is_shown_as_it_raises() -> None:
    with pytest.raises(AttributeError):
        endpoints_conform("tiny", msgspec.structs.replace(GOOD, read=raises), [TINY])


def test_the_kit_notices_what_is_wrong_with_a_log() -> None:
    def silent(told: Told) -> tuple[Observation, ...]:
        return ()

    def spoken(told: Told) -> bool:
        return "tiny" in told.text

    log = Log(starts=("tiny starts",), speaks=spoken, read=silent)
    for text, says in (("tiny\n", "no line with which"), ("tiny starts\n", "calls itself nothing"), ("x", "its own")):
        with pytest.raises(AssertionError, match=says):
            log_conforms("tiny", log, [text])
    with pytest.raises(AssertionError, match="another log"):
        log_conforms("tiny", log, ["tiny starts"], ["a tiny one"])


def test_the_kit_notices_what_is_wrong_with_meters() -> None:
    meter = Meter(fact="performance.queue_depth", how="level", names=("tiny_queue",))
    table = Meters(prefixes=("tiny_",), meters=(meter,))
    meters_conform("tiny", table, ["tiny_queue 3\n"], [vllm(10, 5)])
    for wrong, own, says in (
        (msgspec.structs.replace(meter, fact="performance.no_such"), "tiny_queue 3", "no fact is called"),
        (msgspec.structs.replace(meter, names=()), "tiny_queue 3", "by no metric"),
        (meter, "other_queue 3", "not recognised"),
    ):
        with pytest.raises(AssertionError, match=says):
            meters_conform("tiny", msgspec.structs.replace(table, meters=(wrong,)), [own])
    greedy = msgspec.structs.replace(meter, names=("vllm:num_requests_running", "tiny_queue"))
    table = msgspec.structs.replace(table, marks=("vllm:num_requests_running",), meters=(greedy,))
    with pytest.raises(AssertionError, match="metrics of another"):
        meters_conform("tiny", table, ["tiny_queue 3"], [vllm(10, 5)])
