"""Files that a compose file mounts into a service: the engine there reads them; they are no sources of their own."""

from __future__ import annotations

import pytest

from askew.app.load import load
from askew.evidence.redaction import Redactor

COMPOSE = """\
services:
  llm:
    image: vllm/vllm-openai:v0.9.2
    command: ["--model", "org/m", "--config", "/etc/vllm/config.yaml"]
    volumes:
      - {short}
  serve:
    image: pytorch/torchserve:0.12.0-gpu
    volumes:
      - type: bind
        source: ./serve/config.properties
        target: /home/model-server/config.properties
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "compose.yaml").write_text(COMPOSE.format(short="./vllm/config.yaml:/etc/vllm/config.yaml:ro"))
    (tmp_path / "vllm").mkdir()
    (tmp_path / "vllm" / "config.yaml").write_text("# ours\nmax-model-len: 8192\n")
    (tmp_path / "serve").mkdir()
    (tmp_path / "serve" / "config.properties").write_text("job_queue_size=7\n")
    return tmp_path


@pytest.mark.parametrize("whole", [True, False])
def test_the_engine_reads_what_is_mounted(project, whole):
    side = load(str(project if whole else project / "compose.yaml"), "target", Redactor())
    assert not side.errors
    found = {one.workload.name: one for one in side.snapshots}
    assert set(found) == {"llm", "serve"}
    length = found["llm"].facts["runtime.max_model_len"]
    assert (length.value, length.origin) == (8192, "config-file")
    assert (length.locations[0].source.endswith("vllm/config.yaml"), length.locations[0].line) == (True, 2)
    assert "7" in str([one.value for one in found["serve"].facts.values() if one.origin == "config-file"])


def test_a_folder_that_is_mounted(project):
    (project / "compose.yaml").write_text(COMPOSE.format(short="./vllm:/etc/vllm"))
    side = load(str(project), "target", Redactor())
    found = {one.workload.name: one for one in side.snapshots}
    assert found["llm"].facts["runtime.max_model_len"].value == 8192


def test_a_file_of_configs(tmp_path):
    (tmp_path / "compose.yaml").write_text(
        "services:\n  llm:\n    image: vllm/vllm-openai:v0.9.2\n    command: [--model=m, --config, /c.yaml]\n"
        "    configs: [{source: c, target: /c.yaml}]\nconfigs: {c: {file: c.yaml}}\n"
    )
    (tmp_path / "c.yaml").write_text("dtype: float16\n")
    side = load(str(tmp_path / "compose.yaml"), "target", Redactor())
    assert side.snapshots[0].facts["runtime.dtype"].value == "float16"


def test_nothing_outside_the_folder_is_read(tmp_path):
    (tmp_path / "inside").mkdir()
    (tmp_path / "secret.yaml").write_text("max-model-len: 1\n")
    (tmp_path / "inside" / "compose.yaml").write_text(COMPOSE.format(short="../secret.yaml:/etc/vllm/config.yaml"))
    side = load(str(tmp_path / "inside" / "compose.yaml"), "target", Redactor())
    assert not any(
        "secret" in at.source for one in side.snapshots for fact in one.facts.values() for at in fact.locations
    )
