"""Every check's own cases, through the whole pipeline: file to finding, with the line that proves it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from askew.app import registry
from askew.app.pipeline import Options, check
from askew.checks.interface import Case, Check
from askew.findings.finding import Finding
from askew.report.model import Report

CHECKS = list(registry.checks())
CASES = [pytest.param(one, case, id=f"{one.id}: {case.name}") for one in CHECKS for case in one.cases]
FIRING = [pytest.param(one, case, id=f"{one.id}: {case.name}") for one in CHECKS for case in one.cases if case.fires]


def reported(folder: Path, case: Case) -> Report:
    """The report of a case: its source, written to a file named as its kind wants, against its contract if any."""
    if case.needs:
        pytest.importorskip(case.needs, reason=f"{case.needs} is not installed: it is of an extra of Askew")
    if case.source.startswith("cmd:"):
        source = case.source
    else:
        compose = re.search(r"^services:", case.source, re.M) and not re.search(r"^kind:", case.source, re.M)
        path = folder / (case.file or ("compose.yaml" if compose else "deploy.yaml"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(case.source, encoding="utf-8")
        source = str(path)
    for uri, name, content in case.joined:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
        scheme, _, target = uri.partition(":")
        source += f"+{scheme}:{folder / target}"
    against = None
    if case.contract:
        against = str(folder / "modelspec.yaml")
        Path(against).write_text(case.contract, encoding="utf-8")
    return check(source, against, Options())


def findings(report: Report, rule: str) -> list[Finding]:
    return [finding for workload in report.workloads for finding in workload.findings if finding.rule == rule]


@pytest.mark.parametrize(("one", "case"), CASES)
def test_case_has_its_verdict(one: Check, case: Case, tmp_path: Path) -> None:
    report = reported(tmp_path, case)
    assert report.workloads, f"the case shows no workload: {report.errors or report.notes}"
    assert not report.errors
    found = findings(report, one.id)
    assert bool(found) is case.fires, [finding.summary for finding in found]
    if case.fires:
        assert case.line in {finding.locations[0].line for finding in found}


@pytest.mark.parametrize(("one", "case"), FIRING)
def test_finding_helps(one: Check, case: Case, tmp_path: Path) -> None:
    for finding in findings(reported(tmp_path, case), one.id):
        assert finding.summary and finding.impact
        assert one.whatever or finding.facts[0] in one.facts
        assert finding.remedies, "a finding says what to do about it"
        for remedy in finding.remedies:
            assert remedy.action and remedy.verify and remedy.undo


@pytest.mark.parametrize("one", CHECKS, ids=lambda one: one.id)
def test_check_has_near_misses_and_proofs(one: Check) -> None:
    assert len([case for case in one.cases if not case.fires]) >= 3
    assert len([case for case in one.cases if case.fires]) >= 2
    assert len({case.name for case in one.cases}) == len(one.cases)
    assert all(case.line if case.fires else not case.line for case in one.cases)


# Not models: what commonly lies in the same directory. No check has anything to say about them.
BYSTANDERS = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: redis}
spec:
  replicas: 2
  template:
    spec:
      containers:
        - name: redis
          image: redis
          args: ["--port 6379"]
          livenessProbe: {tcpSocket: {port: 6379}, periodSeconds: 1}
          volumeMounts: [{name: config, mountPath: /etc/redis.conf, subPath: redis.conf}]
      volumes: [{name: config, configMap: {name: redis}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: vllm-router}
spec:
  template:
    spec:
      containers:
        - {name: nginx, image: "nginx:latest", env: [{name: API_KEY, value: abcdefgh12345678}]}
---
apiVersion: v1
kind: Service
metadata: {name: vllm}
spec: {selector: {app: redis}, ports: [{port: 80, targetPort: 9999}]}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: redis}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: redis}
  maxReplicas: 4
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]
"""


def test_what_is_no_model_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "others.yaml"
    path.write_text(BYSTANDERS, encoding="utf-8")
    report = check(str(path), None, Options())
    assert len(report.workloads) == 2
    assert [(w.id, f.rule) for w in report.workloads for f in w.findings] == []
    assert [(w.id, u.fact) for w in report.workloads for u in w.unknown] == []
