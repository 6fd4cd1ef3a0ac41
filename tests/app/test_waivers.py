"""Waivers in askew.toml, in comments and in annotations; and that an expired or groundless one accepts nothing."""

from __future__ import annotations

import pytest

from askew.app.config import load
from askew.app.errors import UsageError
from askew.app.pipeline import Options, check, diff

MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: llm
  namespace: prod
spec:
  selector: {matchLabels: {app: llm}}
  template:
    metadata: {labels: {app: llm}}
    spec:
      containers:
        - name: vllm
          image: vllm/vllm-openai:v0.33.0
          args:
            - --model=Qwen/Qwen3-8B
            - --max-model-len=LEN
          resources:
            limits: {nvidia.com/gpu: "1"}
"""


@pytest.fixture
def sides(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(name: str, length: str, note: str = "") -> str:
        (tmp_path / name).write_text(MANIFEST.replace("LEN", length + note))
        return name

    return write


def findings(report):
    return [f for w in report.workloads for f in w.findings]


def test_a_comment_on_the_line_waives_the_finding_and_the_report_lists_it(sides):
    target = sides("b.yaml", "4096", "  # askew: ignore[runtime.max_model_len] canary for short prompts")
    report = diff(sides("a.yaml", "8192"), target, Options(today="2026-11-23"))
    (finding,) = findings(report)
    assert report.verdict == "aligned"
    assert finding.waiver is not None
    assert finding.waiver.reason == "canary for short prompts"
    assert (finding.waiver.location.source, finding.waiver.location.line) == ("b.yaml", 16)


def test_a_comment_expires(sides):
    target = sides("b.yaml", "4096", "  # askew: ignore[runtime.max_model_len] canary until=2026-11-22")
    report = diff(sides("a.yaml", "8192"), target, Options(today="2026-11-23"))
    (finding,) = findings(report)
    assert report.verdict == "skewed" and finding.waiver is None
    assert finding.impact.endswith("It was waived until 2026-11-22 (b.yaml:16:1): canary")
    assert diff("a.yaml", target, Options(today="2026-11-22")).verdict == "aligned"


def test_a_comment_without_a_reason_or_for_another_rule_waives_nothing(sides):
    sides("a.yaml", "8192")
    for note in (
        "  # askew: ignore[runtime.max_model_len]",
        "  # askew: ignore[runtime.dtype] other",
        "  # askew: ignore[runtime.max_model_len] canary until=next-week",
    ):
        assert diff("a.yaml", sides("b.yaml", "4096", note), Options(today="2026-11-23")).verdict == "skewed"


def test_a_waiver_in_the_configuration(sides, tmp_path):
    (tmp_path / "askew.toml").write_text(
        '# ours\n[[waiver]]\nrule = "runtime.max_model_len"\nworkload = "prod/*"\nreason = "short on purpose"\n'
        'owner = "ml-platform"\nexpires = 2026-12-31\n'
    )
    config = load(".")
    report = diff(sides("a.yaml", "8192"), sides("b.yaml", "4096"), Options(config=config, today="2026-11-23"))
    (finding,) = findings(report)
    assert report.verdict == "aligned"
    assert finding.waiver is not None
    assert (finding.waiver.owner, finding.waiver.expires, finding.waiver.location.line) == (
        "ml-platform",
        "2026-12-31",
        2,
    )
    late = diff("a.yaml", "b.yaml", Options(config=config, today="2027-01-01"))
    assert late.verdict == "skewed"


def test_an_annotation_waives(sides, tmp_path):
    text = MANIFEST.replace("LEN", "4096").replace(
        "  namespace: prod",
        "  namespace: prod\n  annotations: {askew.dev/ignore: 'runtime.max_model_len: short on purpose'}",
        1,
    )
    (tmp_path / "b.yaml").write_text(text)
    report = diff(sides("a.yaml", "8192"), "b.yaml", Options(today="2026-11-23"))
    assert [f.waiver.reason for f in findings(report) if f.waiver] == ["short on purpose"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[waiver]]\nrule = 'x'\nreason = ''\n", "askew.toml:1"),
        ("[[waiver]]\nrule = 'x'\n", "reason"),
        ("[[waiver]]\nrule = 'x'\nreason = 'y'\nexpires = 'soon'\n", "2026-12-31"),
        ("[waiver\n", "TOML"),
        ("fail-on = 'loud'\n", "critical"),
        ("colour = 'red'\n", "known are"),
    ],
)
def test_a_configuration_that_cannot_be_right_says_what_was_expected(tmp_path, monkeypatch, text, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "askew.toml").write_text(text)
    with pytest.raises(UsageError, match=says):
        load(".")


def test_known_findings_do_not_fail_again(sides):
    from askew.findings.finding import fingerprint

    first = diff(sides("a.yaml", "8192"), sides("b.yaml", "4096"), Options())
    known = frozenset(fingerprint(f) for f in findings(first))
    again = diff("a.yaml", "b.yaml", Options(baseline=known))
    assert again.verdict == "aligned"
    assert [f.baseline for f in findings(again)] == ["existing"]
    assert [f.baseline for f in findings(diff("b.yaml", sides("c.yaml", "2048"), Options(baseline=frozenset())))] == [
        "new"
    ]


def test_the_threshold_decides_the_verdict_not_the_findings(sides):
    report = diff(sides("a.yaml", "8192"), sides("b.yaml", "4096"), Options(fail_on="critical"))
    assert report.verdict == "aligned"
    assert [f.rule for f in findings(report)] == ["runtime.max_model_len"]


def test_only_and_ignore_select(sides):
    a, b = sides("a.yaml", "8192"), sides("b.yaml", "4096")
    assert not findings(diff(a, b, Options(ignore=("runtime",))))
    assert not findings(diff(a, b, Options(only=("model", "serving.*"))))
    assert findings(diff(a, b, Options(only=("runtime.max_model_len",))))


def test_a_workload_on_one_side_only_is_a_finding(sides, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for side, names in (("a", ("one", "two", "gone")), ("b", ("one", "two", "new", "newer"))):
        for name in names:
            text = (
                MANIFEST.replace("LEN", "8192")
                .replace("name: llm", f"name: {name}", 1)
                .replace("Qwen3-8B", f"Qwen3-{name}")
            )
            (tmp_path / side / f"{name}.yaml").write_text(text)
    report = diff("a", "b", Options())
    assert sorted((w.presence, w.id) for w in report.workloads if w.findings) == [
        ("added", "prod/Deployment/new"),
        ("added", "prod/Deployment/newer"),
        ("removed", "prod/Deployment/gone"),
    ]


def test_a_side_that_cannot_be_read_removes_nothing(sides):
    report = diff(sides("a.yaml", "8192"), "missing.yaml", Options())
    assert report.workloads == ()
    assert report.verdict == "incomplete"
    assert report.errors[0].source == "missing.yaml"


def test_assumptions_fill_what_no_source_shows_and_are_reported(sides):
    report = check(sides("a.yaml", "8192"), None, Options(assume=("hardware.gpu.model=h100-80gb-sxm",)))
    assert [(a.fact, a.value) for a in report.assumed] == [("hardware.gpu.model", "h100-80gb-sxm")]


@pytest.mark.parametrize(
    "text", ["nonsense", "no.such.fact=1", "runtime.dtype=banana!", "hardware.gpu.model=voodoo2", "runtime.env=x"]
)
def test_an_assumption_that_makes_no_sense_is_refused(sides, text):
    with pytest.raises(UsageError, match="hint:"):
        check(sides("a.yaml", "8192"), None, Options(assume=(text,)))


def test_a_waiver_of_no_rule_is_an_error_with_a_suggestion(tmp_path):
    from askew.app.waivers import verify

    path = tmp_path / "askew.toml"
    path.write_text('[[waiver]]\nrule = "runtime.dtpye"\nreason = "r"\n', encoding="utf-8")
    with pytest.raises(UsageError, match=r"askew.toml:1.*(?s:.*)did you mean runtime.dtype"):
        verify(load(str(tmp_path)))
    path.write_text('[[waiver]]\nrule = "runtime.*"\nreason = "r"\n', encoding="utf-8")
    verify(load(str(tmp_path)))
