"""Every engine passes the conformance kit that plug-in authors get; and the kit notices what is wrong."""

from __future__ import annotations

import msgspec
import pytest

from askew.app import registry
from askew.engines.interface import Reading
from askew.resolve.observation import Observation
from askew.testing.engines import conforms


@pytest.mark.parametrize("name", registry.engine_names())
def test_an_engine_conforms(name):
    conforms(registry.engine(name), registry.recognition(name))


class Wrong:
    """An engine that breaks one rule at a time."""

    name = "vllm"

    def __init__(self, *observations: Observation, flag: str | None = None) -> None:
        self.observations, self.flag = observations, flag
        self.unsupported: dict[str, str] = {}

    def read(self, launch):
        return Reading(observations=self.observations)

    def flag_for(self, fact, version):
        return self.flag


@pytest.mark.parametrize(
    ("engine", "says"),
    [
        (Wrong(Observation(fact="no.such.fact", value=1, origin="explicit")), "no fact is called that"),
        (Wrong(Observation(fact="runtime.dtype", value="half", origin="explicit")), "not canonical"),
        (Wrong(flag=" "), "empty argument"),
    ],
)
def test_the_kit_notices(engine, says):
    with pytest.raises(AssertionError, match=says):
        conforms(engine, registry.recognition("vllm"))


def test_the_kit_notices_a_program_that_is_not_recognised():
    recognition = msgspec.structs.replace(registry.recognition("vllm"), programs=("nothing",))
    with pytest.raises(AssertionError, match="not recognised"):
        conforms(Wrong(), recognition)
