from __future__ import annotations

from askew.evidence.launch import Launch
from tests.platforms.kubernetes.manifests import one, reading

CONFIG = """\
---
apiVersion: v1
kind: ConfigMap
metadata: {name: cfg}
data:
  MODEL: org/model
  LEN: "4096"
  serve.yaml: |
    max-model-len: 2048
"""


def launch(container: str, more: str = CONFIG, volumes: str = "[]") -> Launch:
    body = "".join(f"      {line}\n" for line in container.splitlines())
    text = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n template:\n"
        f"  metadata: {{labels: {{app: llm}}}}\n  spec:\n    volumes: {volumes}\n    containers:\n    - name: c\n"
        f"      image: i:1\n{body}{more}"
    )
    return one(text).containers[0].launch


def test_arguments_use_variables_by_the_kubelets_rules():
    read = launch(
        'args: ["$(A)", "$$(A)", "$(NOPE)", "$(C)"]\n'
        "env:\n- {name: C, value: '$(A)-$(B)'}\n- {name: A, value: a1}\n- {name: B, value: '$(A)'}\n"
        "- {name: A, value: a2}\n"
    )
    # C was declared before A and B, so it cannot use them; of two As the last one wins.
    assert [token.text for token in read.argv] == ["a2", "$(A)", "$(NOPE)", "$(A)-$(B)"]
    assert read.env["B"].value == "a1"


def test_env_from_comes_first_in_order_with_its_prefix_and_env_wins():
    read = launch(
        "args: [$(M_MODEL), $(LEN)]\n"
        "envFrom:\n- {configMapRef: {name: cfg}}\n- {prefix: M_, configMapRef: {name: cfg}}\n"
        "env:\n- {name: LEN, value: '8192'}\n"
    )
    assert [token.text for token in read.argv] == ["org/model", "8192"]
    assert read.argv[0].via[-1].object == "v1 ConfigMap cfg"


def test_a_config_map_value_is_not_expanded_again():
    more = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: cfg}\ndata: {A: '$(B)', B: b}\n"
    read = launch("args: [$(A)]\nenvFrom:\n- {configMapRef: {name: cfg}}\n", more)
    assert read.argv[0].text == "$(B)"


def test_a_key_reference_knows_both_its_places():
    read = launch("env:\n- {name: LEN, valueFrom: {configMapKeyRef: {name: cfg, key: LEN}}}\n")
    variable = read.env["LEN"]
    assert variable.value == "4096"
    assert variable.location.path.endswith("env[0].valueFrom.configMapKeyRef")
    assert [place.path for place in variable.via] == ["data.LEN"]


def test_what_is_not_among_the_sources_is_unknown_with_its_name():
    read = launch(
        "args: [$(A), $(S), $(X), $(gone)]\n"
        "envFrom:\n- {prefix: X, configMapRef: {name: elsewhere}}\n"
        "env:\n- {name: A, valueFrom: {configMapKeyRef: {name: nope, key: k}}}\n"
        "- {name: S, valueFrom: {secretKeyRef: {name: hf, key: token}}}\n"
        "- {name: N, valueFrom: {configMapKeyRef: {name: cfg, key: missing}}}\n"
        "- {name: O, valueFrom: {configMapKeyRef: {name: cfg, key: missing, optional: true}}}\n"
    )
    reasons = [token.unknown for token in read.argv]
    assert reasons[0] == "value from ConfigMap nope key k, which is not among the sources"
    assert reasons[1] == "value from Secret hf key token"
    assert reasons[2] == "may come from ConfigMap elsewhere, which is not among the sources"
    assert "no source seen sets" in str(
        reasons[3]
    )  # no source with that prefix can define it: the kubelet leaves the text
    assert read.env["N"].value is None and read.env["N"].unknown == "ConfigMap cfg has no key missing"
    assert read.env["O"].value == ""


def test_secrets_never_pass_even_where_nobody_redacted_them():
    secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: hf}\nstringData: {token: hunter2secret}\n"
    read = launch(
        "args: [$(S), $(token)]\nenvFrom:\n- {secretRef: {name: hf}}\n"
        "env:\n- {name: S, valueFrom: {secretKeyRef: {name: hf, key: token}}}\n",
        secret,
    )
    assert "hunter2secret" not in repr(read)
    marked = secret.replace("hunter2secret", "redacted:0123456789abcdef")
    read = launch("env:\n- {name: S, valueFrom: {secretKeyRef: {name: hf, key: token}}}\n", marked)
    assert read.env["S"].value == "redacted:0123456789abcdef"


def test_the_downward_api_is_static_where_it_can_be():
    read = launch(
        "resources: {limits: {cpu: 1500m, memory: 2Gi}}\n"
        "env:\n"
        "- {name: APP, valueFrom: {fieldRef: {fieldPath: \"metadata.labels['app']\"}}}\n"
        "- {name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}\n"
        "- {name: CPU, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}\n"
        "- {name: REQ, valueFrom: {resourceFieldRef: {resource: requests.memory, divisor: 1Mi}}}\n"
        "- {name: DISK, valueFrom: {resourceFieldRef: {resource: limits.ephemeral-storage}}}\n"
    )
    assert read.env["APP"].value == "llm"
    assert read.env["IP"].value is None and "status.podIP" in (read.env["IP"].unknown or "")
    assert read.env["CPU"].value == "2"  # rounded up to whole cores
    assert read.env["REQ"].value == "2048"  # an absent request is the limit
    assert read.env["DISK"].value is None


def test_files_of_config_maps_stand_where_they_are_mounted():
    volumes = (
        "[{name: v, configMap: {name: cfg}}, "
        "{name: w, configMap: {name: cfg, items: [{key: serve.yaml, path: d/s.yaml}]}}, "
        "{name: p, projected: {sources: [{configMap: {name: cfg}}]}}]"
    )
    read = launch(
        "volumeMounts:\n- {name: v, mountPath: /etc/vllm/}\n- {name: v, mountPath: /one.yaml, subPath: serve.yaml}\n"
        "- {name: w, mountPath: /w, subPath: d}\n- {name: p, mountPath: /p}\n- {name: gone, mountPath: /g}\n",
        volumes=volumes,
    )
    assert {"/etc/vllm/serve.yaml", "/etc/vllm/MODEL", "/one.yaml", "/w/s.yaml", "/p/serve.yaml"} <= set(read.files)
    content = read.files["/one.yaml"]
    assert content.text == "max-model-len: 2048\n" and content.location.object == "v1 ConfigMap cfg"
    assert not any(path.startswith("/g") for path in read.files)


def test_a_value_that_is_no_text_is_used_and_reported():
    found = reading(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - name: c\n    image: i:1\n"
        "    env:\n    - {name: N, value: 8}\n    - {name: M, value: {a: b}}\n"
    )
    env = found.workloads[0].containers[0].launch.env
    assert env["N"].value == "8" and env["M"].value is None
    assert [problem.kind for problem in found.problems] == ["malformed", "malformed"]
    assert found.problems[0].locations[0].line == 9
