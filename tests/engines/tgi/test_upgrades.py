"""What `askew defaults` and `askew diff` tell of an upgrade of TGI when nothing but the tag changes."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from askew.app.defaults import defaults
from askew.app.pipeline import Options, diff
from askew.engines import versions
from askew.report.render import render

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: llm, namespace: prod}
spec:
  selector: {matchLabels: {app: llm}}
  template:
    metadata: {labels: {app: llm}}
    spec:
      containers:
      - name: tgi
        image: ghcr.io/huggingface/text-generation-inference:TAG
        args: [--model-id, org/model, --revision, e0bc86c23ce5aae1db576c8cca6f06f1f73af2db, ARGS]
        env: [ENV]
        resources: {limits: {nvidia.com/gpu: "1"}}
"""


def differences(
    folder: Path, old: str, new: str, args: str = "--num-shard=1", env: str = ""
) -> dict[tuple[str, str], dict[str, Any]]:
    """Findings of `diff` by fact and key, without those that say that the release is another one."""
    paths = []
    for name, tag in (("old", old), ("new", new)):
        path = folder / f"{name}.yaml"
        text = DEPLOYMENT.replace("TAG", tag).replace("ARGS", args).replace("[ENV]", f"[{env}]")
        path.write_text(text, encoding="utf-8")
        paths.append(str(path))
    report = json.loads(render(diff(paths[0], paths[1], Options()), "json", color=False, width=100, verbose=False))
    found = [one for workload in report["workloads"] for one in workload["findings"]]
    return {
        (one["fact"], one.get("key") or ""): one
        for one in found
        if one["fact"] not in ("runtime.engine.version", "runtime.image.tag")
    }


OTHER = "runtime.arguments.unmapped"


def test_tgi_01_limits_come_from_the_model_instead_of_literals(tmp_path: Path) -> None:
    changes = {one.fact: one for one in defaults("tgi", "1.4.5", "2.0.0").changes if one.kind == "rule"}
    total, prompt = changes["runtime.max_model_len"], changes["runtime.max_input_tokens"]
    assert (total.name, total.old) == ("--max-total-tokens", 2048)
    assert total.new_depends is not None and "at most 4096" in total.new_depends
    assert prompt.old == 1024
    found = differences(tmp_path, "1.4.5", "2.0.0")
    one = found[OTHER, "default of --max-total-tokens"]
    assert (one["reference"]["value"], one["target"]["value"]) == ("2048", "max_position_embeddings, at most 4096")
    assert (OTHER, "default of --max-input-tokens") in found


def test_tgi_01_is_silent_where_the_limits_are_written(tmp_path: Path) -> None:
    args = "--max-input-length=1024, --max-total-tokens=2048, --max-batch-prefill-tokens=4096, --cuda-graphs=0"
    found = differences(tmp_path, "2.0.2", "2.4.0", args)
    assert not [key for fact, key in found if fact == OTHER and "tokens" in key]
    assert not [fact for fact, _ in found if fact.startswith("runtime.max_")]


def test_tgi_04_the_variable_that_turned_prefix_caching_off_is_not_read_any_more(tmp_path: Path) -> None:
    changes = {one.name: one for one in defaults("tgi", "2.3.1", "2.4.0").changes}
    assert changes["USE_PREFIX_CACHING"].kind == "env"
    found = differences(tmp_path, "2.3.1", "2.4.0", env='{name: USE_PREFIX_CACHING, value: "0"}')
    one = found["runtime.prefix_caching", ""]
    assert one["reference"]["value"] is False
    assert one["target"]["state"] == "unknown"
    assert ("runtime.prefix_caching", "") not in differences(tmp_path, "2.3.1", "2.4.0")
    renamed = differences(tmp_path, "2.4.0", "3.0.0", env='{name: PREFIX_CACHING, value: "0"}')
    assert ("runtime.prefix_caching", "") not in renamed


@pytest.mark.parametrize("new", ["2.4.1", "3.0.0"])
def test_tgi_05_limits_come_from_memory(tmp_path: Path, new: str) -> None:
    found = differences(tmp_path, "2.4.0", new)
    for name in ("--max-total-tokens", "--max-input-tokens"):
        one = found[OTHER, f"default of {name}"]
        assert "at most 409" in one["reference"]["value"]
        assert "what fits in GPU memory" in one["target"]["value"]
    assert any(one.name == "--max-total-tokens" for one in defaults("tgi", "2.4.0", new).changes)
    written = differences(tmp_path, "2.4.0", new, "--max-total-tokens=4096, --max-input-tokens=4095")
    assert (OTHER, "default of --max-total-tokens") not in written
    assert (OTHER, "default of --max-input-tokens") not in written


def test_metrics_of_the_queue_stay_in_every_release() -> None:
    for version in versions.releases("tgi"):
        release = versions.load("tgi", version)
        assert release is not None
        if versions.release_key(version) >= (1, 0):
            assert {"tgi_queue_size", "tgi_request_count", "tgi_batch_current_size"} <= set(release.metrics), version


def test_no_remedy_names_an_argument_that_does_something_else(tmp_path: Path) -> None:
    for one in differences(tmp_path, "2.4.0", "3.0.0").values():
        for remedy in one.get("remedies", ()):
            assert "--validation-workers" not in json.dumps(remedy)


@pytest.mark.parametrize("engine", ["tgi", "tei", "infinity"])
def test_neighbouring_releases_can_be_compared(engine: str) -> None:
    releases = versions.releases(engine)
    for old, new in itertools.pairwise(releases):
        for one in defaults(engine, old, new).changes:
            assert one.sources, one
            if one.kind in ("default", "rule"):
                assert (one.old, one.old_depends) != (one.new, one.new_depends), one
