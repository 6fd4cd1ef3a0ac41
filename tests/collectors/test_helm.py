"""Charts, rendered by a real Helm; without one only what needs none is tested."""

from __future__ import annotations

from pathlib import Path

import pytest

from askew.collectors import tools
from askew.collectors.helm import COLLECTOR
from askew.collectors.interface import Evidence, Request
from askew.evidence.redaction import Redactor

needs_helm = pytest.mark.skipif(
    tools.find("helm") is None, reason="needs helm on PATH (go install helm.sh/helm/v3/cmd/helm)"
)


def collect(target: str, *options: tuple[str, str], base: str | Path = ".") -> Evidence:
    uri = f"helm:{target}?" + "&".join("=".join(option) for option in options)
    return COLLECTOR.collect(
        Request(uri=uri, scheme="helm", target=target, options=options, base=str(base)), Redactor()
    )


TEMPLATE = """\
{{- if .Values.broken }}{{ fail "give a model" }}{{ end }}
kind: Service
apiVersion: v1
metadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
---
# replicas
kind: Deployment
apiVersion: apps/v1
metadata: {name: x}
spec:
  replicas: {{ .Values.replicas }}
  model: {{ .Values.model }}
  key: {{ .Values.apiKey | default "none" }}
"""


@pytest.fixture
def chart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    top = tmp_path / "chart"
    (top / "templates" / "tests").mkdir(parents=True)
    (top / "Chart.yaml").write_text("apiVersion: v2\nname: other-name\nversion: 1.0.0\n")
    (top / "values.yaml").write_text("replicas: 1\nmodel: org/a\nbroken: false\n")
    (top / "templates" / "two.yaml").write_text(TEMPLATE)
    (top / "templates" / "tests" / "t.yaml").write_text(
        'kind: Pod\napiVersion: v1\nmetadata: {name: t, annotations: {"helm.sh/hook": test}}\n'
    )
    (tmp_path / "prod.yaml").write_text("replicas: 5\n")
    (top / "own.yaml").write_text("model: org/own\n")
    monkeypatch.chdir(tmp_path)
    return top


@needs_helm
def test_values_count_and_places_name_the_template(chart: Path) -> None:
    evidence = collect(
        "chart/", ("values", "prod.yaml"), ("set", "model=org%2Fb"), ("name", "rel"), ("namespace", "ns")
    )
    assert evidence.status == "complete"
    by_kind = {d.root["kind"].value: d.root for d in evidence.documents}
    assert set(by_kind) == {"Service", "Deployment"}
    assert by_kind["Service"]["metadata"].value == {"name": "rel", "namespace": "ns"}
    replicas = by_kind["Deployment"]["spec"]["replicas"]
    assert replicas.value == 5
    assert replicas.location.source == "chart/templates/two.yaml (rendered)"
    # The line of what ``helm template chart -s templates/two.yaml`` prints.
    import subprocess

    words = ["helm", "template", "chart", "-s", "templates/two.yaml", "-f", "prod.yaml"]
    printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split("\n")
    assert printed[replicas.location.line - 1] == "  replicas: 5"
    assert by_kind["Deployment"]["spec"]["model"].value == "org/b"


@needs_helm
def test_a_values_file_of_the_chart_itself(chart: Path) -> None:
    evidence = collect("chart", ("values", "own.yaml"))
    assert [d.root["spec"]["model"].value for d in evidence.documents if d.root["spec"]] == ["org/own"]


@needs_helm
def test_what_helm_refuses_has_the_template_and_line(chart: Path) -> None:
    evidence = collect("chart", ("set", "broken=true"))
    (error,) = evidence.errors
    assert evidence.status == "failed"
    assert (error.source, error.line) == ("chart/templates/two.yaml", 1)
    assert "give a model" in error.message and error.hint


@needs_helm
def test_no_secret_value_leaves(chart: Path) -> None:
    evidence = collect("chart", ("set", "apiKey=planted-secret-value"))
    assert "planted" not in evidence.uri
    assert evidence.status == "complete"


@needs_helm
def test_missing_dependencies_say_what_brings_them(chart: Path) -> None:
    with (chart / "Chart.yaml").open("a") as file:
        file.write("dependencies: [{name: base, version: 1.0.0, repository: 'https://example.org'}]\n")
    (error,) = collect("chart").errors
    assert "base" in error.message and "helm dependency build" in error.hint


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        ("nope", (), "no chart"),
        ("oci://host/chart", (), "no chart"),
        (".", (), "no Chart.yaml"),
        ("chart", (("values", "nope.yaml"),), "no such values file"),
        ("chart", (("values", "https://host/v.yaml"),), "no such values file"),
        ("chart", (("post-renderer", "/bin/sh"),), "no option"),
        ("chart", (("values", ""),), "no value"),
        ("chart", (("name", "--post-renderer=x"),), "no name"),
    ],
)
def test_what_cannot_be_right_is_refused_before_helm_runs(
    chart: Path, target: str, options: tuple[tuple[str, str], ...], message: str
) -> None:
    evidence = collect(target, *options)
    assert evidence.status == "failed"
    (error,) = evidence.errors
    assert message in error.message and error.hint


def test_without_helm(chart: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(chart))
    (error,) = collect("chart").errors
    assert "not on PATH" in error.message and "helm template" in error.hint
