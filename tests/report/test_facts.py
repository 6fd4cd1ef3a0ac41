from __future__ import annotations

import json
import re
from time import perf_counter

import pytest

from askew.evidence.location import Location
from askew.report.facts import render_facts
from askew.report.model import Assumption, InputError, SourceStatus
from askew.report.present import citations
from askew.resolve.workload import Resolved
from tests.report import samples
from tests.report.snapshot import same

STATUS = (SourceStatus(role="target", uri="current.yaml", status="partial", reason="1 of 2 files could not be read"),)
ERRORS = (InputError(source="bad.yaml", line=2, column=1, message="expected a value", hint="close the quote"),)
ASSUMED = (Assumption(fact="hardware.gpu.model", value="h100-80gb-sxm"),)


def shown(format="text", **more) -> str:
    return render_facts([samples.SNAPSHOT], STATUS, ERRORS, ASSUMED, format, **more)


def test_text():
    same(shown(), "facts.txt")


def test_narrow_text():
    same(shown(width=44), "facts-44.txt")


def test_json():
    text = re.sub(r'"version": "\d[^"]*"', '"version": "0"', shown("json"), count=1)
    same(text, "facts.json")


def test_unknown_facts_say_why_and_how_to_see_them():
    facts = json.loads(shown("json"))["workloads"][0]["facts"]
    assert facts["hardware.gpu.model"]["unknown"] == "no source shows it"
    assert facts["hardware.gpu.model"]["observe_with"] == "nvidia-smi -L"
    assert "value" not in facts["hardware.gpu.model"]
    assert facts["runtime.max_model_len"]["value"] == 8192
    assert facts["runtime.quantization"]["value"] is None
    assert facts["runtime.swap.bytes"]["unknown"] == "this engine has no such setting"


def test_secrets_are_not_shown():
    for text in (shown(), shown("json")):
        assert "redacted:" not in text
        assert "<redacted>" in text


def test_colour_adds_nothing_but_colour():
    assert re.sub(r"\x1b\[[0-9;]*m", "", shown(color=True)) == shown()


@pytest.mark.parametrize(
    ("only", "ignore", "expected"),
    [
        (["hardware"], [], {"hardware.gpu.model", "hardware.gpu.vendor"}),
        (["hardware.gpu"], ["hardware.gpu.vendor"], {"hardware.gpu.model"}),
        (["*.dtype"], [], {"runtime.dtype"}),
        (["runtime.dty"], [], set()),
    ],
)
def test_facts_can_be_chosen(only, ignore, expected):
    assert set(json.loads(shown("json", only=only, ignore=ignore))["workloads"][0]["facts"]) == expected


def test_nothing_chosen_says_so():
    assert "no fact was asked for that this workload has" in shown(only=["nothing"])


def test_no_workload_says_so():
    assert render_facts([], (), ERRORS, (), "text") == "no workload was found\n"


def test_an_unknown_format_is_refused():
    with pytest.raises(ValueError, match="choose text or json"):
        shown("sarif")


def test_the_sources_of_a_map_with_thousands_of_entries_are_told_in_no_time():
    at = tuple(Location("m/tokenizer_config.json", line=line, column=5) for line in range(1, 20_001))
    known = Resolved(fact="model.tokenizer.added_tokens", state="known", origin="model", locations=at)
    cited = Location("https://example.org/defaults")
    default = Resolved(fact="model.id", state="known", origin="engine-default", locations=(*at, cited))
    begin = perf_counter()
    assert citations(known) == () and citations(default) == (str(cited),)
    assert perf_counter() - begin < 5.0, "each place against all others takes a minute"
