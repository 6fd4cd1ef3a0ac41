from __future__ import annotations

from tests.platforms.kubernetes.manifests import DEPLOYMENT, facts, one

SERVICE = """
---
apiVersion: v1
kind: Service
metadata: {name: %s, namespace: %s}
spec: {selector: {app: %s}, ports: [{name: http, port: 80%s}]%s}
"""
PORTS, PREFIXES = "serving.service.ports", "orchestration.service_prefixes"


def test_ports_of_the_services_that_select_the_pods():
    text = DEPLOYMENT + SERVICE % ("llm", "prod", "llm", ", targetPort: http", "")
    text += SERVICE % ("other", "prod", "web", "", "") + SERVICE % ("far", "dev", "llm", "", "")
    found = facts(one(text))
    assert found[PORTS] == [{"name": "http", "port": 80, "service": "llm", "target_port": "http"}]
    assert found[PREFIXES] == ["llm", "other"]


def test_the_target_port_is_the_port_by_default_and_headless_services_make_no_variables():
    found = facts(one(DEPLOYMENT + SERVICE % ("llm", "prod", "llm", "", ", clusterIP: None")))
    assert found[PORTS][0]["target_port"] == 80
    assert PREFIXES not in found
