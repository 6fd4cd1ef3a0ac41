"""A program that no engine knows, configured by a file: each setting of the file counts, at its own line."""

from __future__ import annotations

import pytest

from askew.app.pipeline import Options, diff

SCRIPT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: trt}
spec:
  selector: {matchLabels: {app: trt}}
  template:
    metadata: {labels: {app: trt}}
    spec:
      containers:
        - name: trt
          image: registry.example.com/serving:1.0.0
          env:
            - {name: FRACTION, value: "0.90"}
          command: [sh, -c]
          args:
            - |
              cat > /tmp/c.yaml <<EOF
              kv_cache_config:
                free_gpu_memory_fraction: __F__
                enable_block_reuse: true
              EOF
              sed -i "s/__F__/${FRACTION}/" /tmp/c.yaml
              exec serve-it m --config /tmp/c.yaml
"""
MOUNTED = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: trt}
spec:
  selector: {matchLabels: {app: trt}}
  template:
    metadata: {labels: {app: trt}}
    spec:
      containers:
        - name: trt
          image: registry.example.com/serving:1.0.0
          command: [serve-it, --config=/etc/serve/c.yaml]
          volumeMounts: [{name: config, mountPath: /etc/serve}]
      volumes: [{name: config, configMap: {name: serve}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: serve}
data:
  c.yaml: |
    # tuned in March
    kv_cache_config:
      enable_block_reuse: true
"""


@pytest.mark.parametrize(
    ("manifest", "old", "new", "key", "line"),
    [
        (SCRIPT, "reuse: true", "reuse: false", "--config:kv_cache_config.enable_block_reuse", 20),
        (SCRIPT, "0.90", "0.85", "--config:kv_cache_config.free_gpu_memory_fraction", 19),
        (MOUNTED, "reuse: true", "reuse: false", "--config:kv_cache_config.enable_block_reuse", 23),
    ],
)
def test_a_changed_setting_is_found_at_its_line(tmp_path, monkeypatch, manifest, old, new, key, line):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text(manifest)
    (tmp_path / "b.yaml").write_text(manifest.replace(old, new))
    report = diff("a.yaml", "b.yaml", Options())
    (finding,) = [f for w in report.workloads for f in w.findings if f.rule == "runtime.arguments.unmapped"]
    assert finding.key == key
    assert [side.locations[0].line for side in (finding.reference, finding.target) if side] == [line, line]


def test_order_and_comments_of_the_file_are_no_difference(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text(MOUNTED)
    (tmp_path / "b.yaml").write_text(
        MOUNTED.replace("    # tuned in March\n", "").replace("reuse: true", 'reuse: "true"')
    )
    assert [f.rule for w in diff("a.yaml", "b.yaml", Options()).workloads for f in w.findings] in (
        [],
        ["orchestration.config.digest"],
    )
