from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askew.report.render import render
from tests.report import samples
from tests.report.samples import report, workload
from tests.report.snapshot import same
from tests.report.strategies import reports

ANSI = re.compile(r"\x1b\[[0-9;]*m")


def text(report, *, width=100, verbose=False, color=False) -> str:
    return render(report, "text", color=color, width=width, verbose=verbose)


@pytest.mark.parametrize("name", samples.ALL)
def test_samples(name):
    same(text(samples.ALL[name]), f"{name}.txt")


def test_narrow():
    same(text(samples.INCIDENT, width=48), "incident-48.txt")


def test_verbose():
    same(text(samples.INCIDENT, verbose=True), "incident-verbose.txt")


def test_colour_adds_nothing_but_colour():
    coloured = text(samples.INCIDENT, color=True)
    assert "\x1b[" in coloured
    assert ANSI.sub("", coloured) == text(samples.INCIDENT)


@settings(max_examples=80, deadline=None)
@given(reports, st.integers(1, 140), st.booleans())
def test_input_never_moves_the_cursor(report, width, verbose):
    shown = text(report, width=width, verbose=verbose)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]", shown)
    assert samples.MARKER not in shown
    assert ANSI.sub("", text(report, width=width, verbose=verbose, color=True)) == shown


@pytest.mark.parametrize("width", [40, 48, 60, 80, 100, 132])
def test_lines_fit_where_their_words_do(width):
    for line in text(samples.INCIDENT, width=width).splitlines():
        copied = line.lstrip().startswith(("see: ", "verify: ")) or line.startswith(("staging/", "prod/"))
        longest = max(map(len, line.split()), default=0)
        assert copied or len(line) <= width or longest > width - 16, line


def test_both_sides_are_shown_with_value_origin_and_place():
    shown = text(report(workload(samples.DTYPE)))
    assert re.search(r"- bfloat16 +explicit, likely +last-good\.yaml:30", shown)
    assert re.search(r"\+ float16 +engine default +current\.yaml:20", shown)


def test_what_one_change_at_one_place_makes_is_told_once():
    shown = text(report(workload(samples.VERSION, samples.TAG)))
    assert shown.count("MEDIUM") == 1
    assert "LOW" not in shown
    assert "also: runtime.image.tag: v0.7.3 → v0.8.0" in shown
    assert "2 findings" in shown


def test_defaults_that_share_a_place_are_not_one_change():
    """Defaults are shown at the launch: two that changed are two findings, even if one follows from the same fact."""
    place = samples.at(samples.NOW, 20, 9)

    def moved(finding):
        return msgspec.structs.replace(
            finding,
            reference=msgspec.structs.replace(finding.reference, origin="engine-default", locations=(place,)),
            target=msgspec.structs.replace(finding.target, origin="engine-default", locations=(place,)),
        )

    assert "also:" not in text(report(workload(moved(samples.VERSION), moved(samples.TAG))))


def test_settings_of_a_one_line_command_are_not_one_change():
    place = samples.at("cmd:vllm serve m", 1, 1)

    def moved(finding):
        return msgspec.structs.replace(
            finding,
            reference=msgspec.structs.replace(finding.reference, origin="explicit", locations=(place,)),
            target=msgspec.structs.replace(finding.target, origin="explicit", locations=(place,)),
        )

    assert "also:" not in text(report(workload(moved(samples.MAX_LEN), moved(samples.DTYPE))))


def test_a_long_value_is_cut_to_where_it_differs_and_whole_with_v():
    shown = text(report(workload(samples.LONG)))
    assert "{{ eos_token }}" in shown
    assert "{{ bos_token }}" in shown
    assert len(shown) < 1500
    assert text(report(workload(samples.LONG)), verbose=True, width=10_000).count("im_start") > 20


def test_values_that_differ_only_in_a_secret_say_so():
    assert "model.source differs in what is redacted" in text(report(workload(samples.LEAKY)))


def test_an_impact_that_several_keys_share_is_said_once():
    other = msgspec.structs.replace(samples.SECRET, key="OTHER", summary="runtime.env[OTHER]: a → b")
    assert text(report(workload(samples.SECRET, other))).count("Variables switch backends") == 1


def test_waived_findings_are_listed_with_reason_owner_expiry_and_place():
    shown = text(report(workload(samples.WAIVED)))
    line = "floating-image-tag: pinned by digest at admission, ana, until 2026-12-31 (askew.toml:4)"
    assert line in shown
    assert "1 waived" in shown


def test_known_before_is_counted_and_listed_with_v():
    quiet = text(report(workload(samples.BATCH), verdict="aligned"))
    assert "known before: 1 finding (1 low)" in quiet
    assert "256" not in quiet
    assert "runtime.max_num_seqs: 256 → not set" in text(report(workload(samples.BATCH)), verbose=True)


def test_findings_below_the_threshold_are_shown_and_do_not_fail():
    shown = text(report(workload(samples.SECRET, verdict="aligned"), verdict="aligned"))
    assert "aligned: 1 finding (1 low), none at or above medium" in shown


def test_worst_first_in_the_order_of_severity():
    shown = text(report(workload(samples.SECRET, samples.VERSION, samples.DTYPE, samples.CHECK)))
    assert [shown.index(word) for word in ("CRITICAL", "HIGH", "MEDIUM", "LOW")] == sorted(
        shown.index(word) for word in ("CRITICAL", "HIGH", "MEDIUM", "LOW")
    )


def test_unseen_facts_are_told_with_reason_and_the_way_to_see_them():
    shown = text(samples.INCOMPLETE)
    assert "hardware.driver.version, hardware.cuda.version: no source shows it" in shown
    assert "see: nvidia-smi" in shown
    assert shown.splitlines()[-2].startswith("incomplete: ")


def test_a_long_list_of_unseen_facts_is_cut_and_whole_with_v():
    from askew.report.model import UnknownFact

    unseen = tuple(UnknownFact(fact="runtime.env", key=f"K{i}", side="target", reason=f"reason {i}") for i in range(9))
    quiet = text(report(workload(unknown=unseen, verdict="incomplete"), verdict="incomplete"))
    assert "not seen (9)" in quiet
    assert "and 5 more, shown with -v" in quiet
    assert "K8" in text(report(workload(unknown=unseen)), verbose=True)


def test_a_contract_names_no_release_and_shows_no_change_of_one():
    from askew.resolve.workload import EngineIdentity

    shown = text(report(workload(reference_engine=EngineIdentity(name="vllm"))))
    assert "vllm 0.8.0" in shown
    assert "→ 0.8.0" not in shown


@pytest.mark.parametrize("presence", ["added", "removed"])
def test_a_workload_on_one_side_says_which(presence):
    side = "target" if presence == "added" else "reference"
    assert f"only in the {side}" in text(report(workload(samples.CHECK, presence=presence)))


def test_an_unknown_format_is_refused():
    with pytest.raises(ValueError, match="choose one of text"):
        render(samples.ALIGNED, "pdf", color=False, width=80, verbose=False)
