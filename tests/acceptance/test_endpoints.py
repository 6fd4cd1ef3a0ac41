"""A deployment against the endpoint that runs it: silent where it runs as asked, and the one difference where not.

The recorded servers are those of ``../shared/recordings``: each is served again on loopback, beside the command that
started it.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from askew.app.load import load
from askew.compare.compare import Comparison, compare
from askew.evidence.redaction import Redactor
from askew.resolve.workload import Snapshot
from tests.engines.answers import CASES
from tests.serving import Answer, as_json, as_text, serving, transcript

MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: llm, namespace: prod}
spec:
  selector: {matchLabels: {app: llm}}
  template:
    metadata: {labels: {app: llm}}
    spec:
      containers:
      - name: vllm
        image: vllm/vllm-openai:v0.31.0
        args: [--model, acme/chat-7b, --served-model-name, chat, chat-alias, --trust-remote-code, --dtype, half,
          --max-model-len, "16384", --kv-cache-dtype, fp8, --gpu-memory-utilization, "0.85",
          --no-enable-prefix-caching, --max-num-seqs, "64", --max-num-batched-tokens, "4096", -tp, "4", -pp, "2",
          --enable-expert-parallel, --enforce-eager, --enable-lora, --max-lora-rank, "32", --max-loras, "3",
          --lora-modules, tone=/adapters/tone, --seed, "7", --load-format, safetensors, --generation-config, vllm,
          --quantization, fp8, --reasoning-parser, deepseek_r1, --cpu-offload-gb, "1.5", --scheduling-policy, priority,
          --block-size, "32", --async-scheduling, --attention-backend, FLASH_ATTN,
          --structured-outputs-config.backend, xgrammar, --override-generation-config, '{"temperature": 0.2}',
          --speculative-config, '{"method": "ngram", "num_speculative_tokens": 4, "prompt_lookup_max": 3}',
          --disable-log-requests]
        env: [{name: NCCL_DEBUG, value: INFO}]
"""


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("ASKEW_API_KEY", "NETRC", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def one(uri: str) -> Snapshot:
    """The one workload of a source."""
    side = load(uri, "target", Redactor())
    assert not side.errors, side.errors
    (snapshot,) = side.snapshots
    return snapshot


def found(comparison: Comparison) -> set[str]:
    return {each.fact.key + (f"[{each.key}]" if each.key else "") for each in comparison.differences}


def served(answers: Mapping[str, object]) -> dict[str, Answer]:
    """Answers of a case as a server gives them."""
    given: dict[str, Answer] = {}
    for name, value in answers.items():
        path = f"POST {name}" if " " in name else name
        given[path] = as_text(value) if isinstance(value, str) else as_json(value)
    return given


def test_a_manifest_is_silent_against_the_server_that_it_made(tmp_path: Path) -> None:
    (tmp_path / "llm.yaml").write_text(MANIFEST, encoding="utf-8")
    with serving(served(CASES[0].answers)) as server:
        here, there = one(str(tmp_path / "llm.yaml")), one(server.url)
    assert there.engine is not None and (there.engine.name, there.engine.version) == ("vllm", "0.31.0")
    comparison = compare(here, there)
    assert found(comparison) == set()
    assert comparison.verified >= 30
    assert found(compare(there, here)) == set()


@pytest.mark.parametrize(
    ("old", "new", "fact"),
    [
        ('"16384"', '"8192"', "runtime.max_model_len"),
        ("--dtype, half", "--dtype, bfloat16", "runtime.dtype"),
        ("v0.31.0", "v0.30.0", "runtime.engine.version"),
        ('-tp, "4"', '-tp, "8"', "runtime.tensor_parallel_size"),
        ("--no-enable-prefix-caching", "--enable-prefix-caching", "runtime.prefix_caching"),
        ("--model, acme/chat-7b", "--model, acme/chat-8b", "model.id"),
        ('"temperature": 0.2', '"temperature": 0.9', "runtime.sampling_defaults[temperature]"),
        ("chat, chat-alias", "chat, talk", "model.served_names"),
        ("tone=/adapters/tone", "tone=/adapters/other", "model.lora_adapters"),
    ],
)
def test_one_changed_setting_is_found(tmp_path: Path, old: str, new: str, fact: str) -> None:
    assert old in MANIFEST
    (tmp_path / "llm.yaml").write_text(MANIFEST.replace(old, new), encoding="utf-8")
    with serving(served(CASES[0].answers)) as server:
        comparison = compare(one(str(tmp_path / "llm.yaml")), one(server.url))
    different = found(comparison)
    assert fact in different
    assert different <= {fact, "model.source", "model.tokenizer.source"}


def test_a_joined_endpoint_fills_in_what_start_up_decided(tmp_path: Path) -> None:
    (tmp_path / "llm.yaml").write_text(MANIFEST.replace(":v0.31.0", ":nightly"), encoding="utf-8")
    path = str(tmp_path / "llm.yaml")
    with serving(served(CASES[0].answers)) as server:
        snapshot = one(f"{path}+{server.url}")
    assert snapshot.workload.kind == "Deployment"
    assert snapshot.engine is not None and snapshot.engine.version == "0.31.0"
    assert snapshot.facts["runtime.dtype"].origin == "reported"
    assert snapshot.facts["orchestration.replicas.min"].value == 1


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.engine)
def test_an_endpoint_is_silent_against_itself(case: object) -> None:
    answers = msgspec.structs.asdict(case)["answers"]  # type: ignore[arg-type]
    with serving(served({name: value for name, value in answers.items() if not isinstance(value, int)})) as server:
        comparison = compare(one(server.url), one(server.url))
    assert found(comparison) == set() and comparison.verified


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded server: where it lies, which of its transcripts answers what, how the source is named that asked for
    it, and a change of that with the facts that differ then."""

    name: str
    answers: Mapping[str, str]
    source: str = ""
    image: str = ""
    old: str
    new: str
    facts: frozenset[str]


_VLLM = {"/v1/models": "models", "/version": "version", "/metrics": "metrics-after"}
_CONTEXT = frozenset({"runtime.max_model_len"})
RUNS = (
    Run(
        name="vllm-0.32.0/a-defaults",
        answers={**_VLLM, "/server_info?config_format=json": "server_info-json"},
        old="--max-model-len 512",
        new="--max-model-len 768",
        facts=_CONTEXT,
    ),
    Run(
        name="vllm-0.32.0/a-defaults",
        answers={**_VLLM, "/server_info?config_format=json": "server_info-text"},
        old="--max-model-len 512",
        new="--max-model-len 512 --dtype half",
        facts=frozenset({"runtime.dtype"}),
    ),
    Run(
        name="vllm-0.30.0/a-defaults",
        answers={**_VLLM, "/server_info?config_format=json": "server_info-json"},
        old="--max-model-len 512",
        new="--max-model-len 512 --max-num-seqs 7",
        facts=frozenset({"runtime.max_num_seqs"}),
    ),
    Run(
        name="vllm-0.32.0/c-prod-no-shim-apikey-configfile",
        answers={"/v1/models": "models-with-key", "/version": "version"},
        old="--served-model-name auth-model",
        new="--served-model-name other",
        facts=frozenset({"model.served_names"}),
    ),
    Run(
        name="sglang-0.5.23/cpu-torch_native",
        answers={"/v1/models": "models", "/server_info": "server_info", "/metrics": "metrics-after"},
        old="--max-running-requests 4",
        new="--max-running-requests 8",
        facts=frozenset({"runtime.max_num_seqs"}),
    ),
    Run(
        name="llama.cpp-xllamacpp-2026.10.11549",
        answers={"/v1/models": "models", "/props": "props", "/metrics": "metrics-after"},
        # The recorded server was started through the library, with these settings.
        source="cmd:llama-server -m /models/tiny.gguf --host 127.0.0.1 --port 18090 -c 512 -np 2 -a tiny-gguf "
        "--metrics --slots --no-warmup",
        old="-c 512",
        new="-c 1024",
        facts=_CONTEXT,
    ),
    Run(
        name="tritonserver-2.51.0-from-pytriton",
        answers={
            "/v2": "v2",
            "POST /v2/repository/index": "index",
            "/v2/models/doubler/config": "model-config",
        },
        old="--load-model=doubler",
        new="--load-model=stringer",
        facts=frozenset({"model.served_names"}),
    ),
    Run(
        name="mlserver-1.7.1",
        answers={"/v2": "v2", "POST /v2/repository/index": "index", "/v2/models/iris": "model"},
        old="",
        new="",
        facts=frozenset(),
    ),
    Run(
        name="kserve-0.21.0",
        answers={"/v2": "v2", "/v2/models": "v2-models", "/v2/models/tiny": "v2-model"},
        old="",
        new="",
        facts=frozenset(),
    ),
    Run(
        name="torchserve-0.12.0",
        answers={"/models": "models", "/models/doubler": "model"},
        old="doubler=doubler.mar",
        new="halver=doubler.mar",
        facts=frozenset({"model.served_names"}),
    ),
    Run(name="bentoml-1.4.39", answers={"/schema.json": "schema.json"}, old="", new="", facts=frozenset()),
    Run(
        name="ray-2.60.0",
        answers={"/api/version": "version", "/api/serve/applications/": "serve-applications"},
        source="tools/ray_serve.yaml",
        old="",
        new="",
        facts=frozenset(),
    ),
)


def asked_for(home: Path, run: Run) -> str:
    """The source that says how the server was meant to run."""
    if run.source:
        return run.source if run.source.startswith("cmd:") else str(home / run.source)
    command = json.loads((home / run.name / "command.json").read_text(encoding="utf-8"))
    return f"cmd:{shlex.join(command['cmd'])}"


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_recorded_servers_run_as_their_commands_ask(shared: Path, run: Run) -> None:
    home = shared / "recordings"
    answers = {path: transcript(home / run.name / f"{file}.http") for path, file in run.answers.items()}
    with serving(answers) as server:
        there, source = one(server.url), asked_for(home, run)
        same = compare(one(source), there)
        assert found(same) == set()
        if run.old:
            assert run.old in source
            changed = compare(one(source.replace(run.old, run.new)), there)
            assert found(changed) == run.facts


def test_a_model_that_was_loaded_with_another_configuration_is_found(shared: Path) -> None:
    home = shared / "recordings"
    names = {
        "/v2": "v2",
        "POST /v2/repository/index": "index",
        "/v2/models/doubler/config": "model-config-after-override",
    }
    answers = {
        path: transcript(home / "tritonserver-2.51.0-from-pytriton" / f"{file}.http") for path, file in names.items()
    }
    with serving(answers) as server:
        comparison = compare(one(str(home / "tools/trepo/doubler/config.pbtxt")), one(server.url))
    assert {"runtime.max_num_seqs", "runtime.instances", "runtime.dynamic_batching[enabled]"} <= found(comparison)
