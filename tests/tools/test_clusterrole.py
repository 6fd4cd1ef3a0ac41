"""The ClusterRole in the documentation allows what is read, and to read only."""

from __future__ import annotations

import yaml

from askew.collectors.k8s.resources import RESOURCES
from tools.generate import clusterrole


def test_it_allows_what_is_read_and_nothing_else() -> None:
    text = clusterrole.render()
    rules = yaml.safe_load(text)["rules"]
    allowed = {(group, name) for rule in rules for group in rule["apiGroups"] for name in rule["resources"]}
    assert {verb for rule in rules for verb in rule["verbs"]} == {"get", "list"}
    assert allowed == {(one.group, one.name) for one in RESOURCES} - {("", "secrets")}
    for right in ("secrets", "pods/log", "pods/proxy", "pods/exec"):
        assert f'  #   resources: ["{right}"]' in text
    assert all(len(line) <= 120 for line in text.splitlines() if "resources:" not in line)
