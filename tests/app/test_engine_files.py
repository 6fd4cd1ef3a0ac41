"""Files that configure an engine, compared as a user compares them."""

from __future__ import annotations

from pathlib import Path

from askew.app.pipeline import Options, check, diff

LITELLM = """\
model_list:
  - model_name: gpt
    litellm_params: {{model: openai/llama, api_base: "http://vllm:8000/v1", api_key: {key}, timeout: {timeout}}}
router_settings: {{num_retries: 2}}
"""
RAY = """\
proxy_location: EveryNode
applications:
- name: app
  route_prefix: /
  import_path: fruit:app
  deployments:
  - {name: D, num_replicas: 2, max_ongoing_requests: 50, ray_actor_options: {num_cpus: 1, num_gpus: 1}}
"""
RAY_SHORT = """\
applications:
- import_path: "fruit:app"
  name: app
  deployments:
  - name: D
    ray_actor_options: {num_gpus: 1.0, num_cpus: 1.0}
    max_ongoing_requests: LIMIT
    num_replicas: 2
"""


def compared(folder: Path, name: str, old: str, new: str) -> list[tuple[str, str, int]]:
    for side, text in (("old", old), ("new", new)):
        (folder / side).mkdir(exist_ok=True)
        (folder / side / name).write_text(text, encoding="utf-8")
    report = diff(str(folder / "old" / name), str(folder / "new" / name), Options())
    assert not report.errors, report.errors
    return [
        (
            one.rule,
            str(one.target and one.target.value),
            one.target.locations[0].line if one.target and one.target.locations else 0,
        )
        for workload in report.workloads
        for one in workload.findings
    ]


def test_a_file_with_a_key_is_read(tmp_path: Path) -> None:
    """The mask that a redacted document has in the place of a secret would be an alias of YAML."""
    for key in ("os.environ/KEY", "sk-1234567890abcdef", '"sk-1234567890abcdef"', "'sk-1'"):
        old = LITELLM.format(key=key, timeout=300)
        assert compared(tmp_path, "config.yaml", old, old) == []
        assert compared(tmp_path, "config.yaml", old, LITELLM.format(key="sk-another0123456789", timeout=300)) == []
        (found,) = compared(tmp_path, "config.yaml", old, LITELLM.format(key=key, timeout=60))
        assert found == ("serving.request_timeout", "60", 3)


def test_defaults_and_numbers_of_a_serve_config_are_spelled_out(tmp_path: Path) -> None:
    assert compared(tmp_path, "serve.yaml", RAY, RAY_SHORT.replace("LIMIT", "50")) == []
    assert compared(tmp_path, "serve.yaml", RAY, RAY_SHORT.replace("LIMIT", "5")) == [
        ("serving.max_concurrency", "5", 7)
    ]


def test_a_remedy_for_a_file_names_no_argument(tmp_path: Path) -> None:
    name = "model-settings.json"
    for side, size in (("old", "16.0"), ("new", "32")):
        (tmp_path / side).mkdir()
        text = f'{{"name": "m", "implementation": "mlserver_sklearn.SKLearnModel", "max_batch_size": {size}}}'
        (tmp_path / side / name).write_text(text, encoding="utf-8")
    report = diff(str(tmp_path / "old" / name), str(tmp_path / "new" / name), Options())
    assert not report.errors
    (one,) = (finding for workload in report.workloads for finding in workload.findings)
    assert (one.rule, one.key) == ("runtime.dynamic_batching", "max_batch_size")
    assert "MLSERVER_" not in str(one.remedies)


def test_what_an_unread_file_would_say_is_not_called_unset(tmp_path: Path) -> None:
    for side, text in (("old", 'name: "m"\nmax_batch_size: 8\n'), ("new", 'name: "m"\ninput [ {')):
        (tmp_path / side / "m").mkdir(parents=True)
        (tmp_path / side / "m" / "config.pbtxt").write_text(text, encoding="utf-8")
    report = diff(str(tmp_path / "old/m/config.pbtxt"), str(tmp_path / "new/m/config.pbtxt"), Options())
    assert [(error.line, bool(error.hint)) for error in report.errors] == [(2, True)]
    reasons = {one.target.reason if one.target else "" for workload in report.workloads for one in workload.findings}
    assert reasons == {"the file that sets it could not be read"}


def test_files_of_other_programs_are_no_engines(tmp_path: Path) -> None:
    """A folder with files that only share a name, or a key, with those of an engine."""
    files = {
        "kafka/config.properties": "bootstrap.servers=localhost:9092\ngroup.id=g\n",
        "app/settings.json": '{"editor.tabSize": 2}',
        "app/model-config.yaml": "name: bert\nlearning_rate: 0.1\n",
        "argo/apps.yaml": "applications:\n- name: web\n  path: charts/web\n",
        "compose/compose.yaml": "services:\n  web: {image: nginx}\nmodels:\n  llm: {model: ai/smollm2}\n",
        "gen/models.yaml": "model_list:\n- {name: a, path: b}\n",
        "svc/config.yaml": "name: x\nimplementation: y\n",
        "train/config.yaml": "version: 1\nrunners: 4\nparameters: {a: 1}\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    report = check(str(tmp_path), None, Options())
    engines = {workload.id: workload.engine.name for workload in report.workloads if workload.engine is not None}
    assert not engines, engines
