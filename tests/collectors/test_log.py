"""``log:`` reads the start of a process out of a log of any size and wrapping, and keeps no secret."""

from __future__ import annotations

import gzip
import io
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.collectors import logs
from askew.collectors.interface import Evidence, Request
from askew.collectors.log import COLLECTOR
from askew.collectors.log import collect as module
from askew.evidence.redaction import Redactor
from askew.platforms.log.read import read

START = (
    "INFO 07-01 10:00:00 [api_server.py:1] vLLM API server version 0.9.2\n"
    "INFO 07-01 10:00:00 [cli_args.py:2] non-default args: {'model': 'org/small', 'max_model_len': 2048}\n"
    "INFO 07-01 10:00:09 [core.py:3] Initializing a V1 LLM engine (v0.9.2) with config: model='org/small', seed=0\n"
)


def collect(path: Path | str) -> Evidence:
    return COLLECTOR.collect(Request(uri=f"log:{path}", scheme="log", target=str(path)), Redactor(b"k" * 32))


def written(tmp_path: Path, text: str | bytes) -> Evidence:
    path = tmp_path / "startup.log"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return collect(path)


def test_a_log_is_one_text(tmp_path: Path) -> None:
    evidence = written(tmp_path, START)
    assert evidence.status == "complete" and evidence.platform == "log" and evidence.files == 1
    assert evidence.texts[0].text == START


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(START.encode())))
    evidence = collect("-")
    assert evidence.status == "complete" and evidence.texts[0].source == "-"


def test_a_terminal_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    evidence = collect("-")
    assert evidence.status == "failed" and "nothing was piped in" in evidence.reason


def test_a_file_of_empty_parts_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = gzip.compress(b"")
    assert written(tmp_path, empty * 1000 + gzip.compress(START.encode())).texts[0].text == START
    monkeypatch.setattr(module, "_MOST_MEMBERS", 1000)
    assert written(tmp_path, empty * 1000 + gzip.compress(START.encode())).status == "failed"


def test_half_of_a_secret_is_not_kept_where_a_log_is_cut_off() -> None:
    whole = b"INFO started\nnpm_config hf_abcdefghijklmnop1234"
    for limit in range(len(whole) - 20, len(whole)):
        assert logs.clean_bytes(whole[:limit], Redactor(), limit) == "INFO started\n"
    assert logs.clean_bytes(whole[:12], Redactor(), 100) == "INFO started"


def test_a_line_that_is_split_without_end_costs_what_it_is_long(tmp_path: Path) -> None:
    before = time.monotonic()
    written(tmp_path, ("2026-07-01T10:00:00.123456789Z stdout P " + "x y" * 18 + "\n") * 40_000)
    assert time.monotonic() - before < 15


@pytest.mark.parametrize(
    "wrapped",
    [
        "2026-07-01T10:00:00.123456789Z {}",
        "2026-07-01T10:00:00.123456789Z stdout F {}",
        "Jul 01 10:00:00 gpu-3 vllm[812]: {}",
        "2026-07-01T10:00:00+0000 gpu-3 vllm[812]: {}",
        "\x1b[1;36m{}\x1b[0;0m",
        "[1;36m{}[0;0m",
        '{{"log":"{}\\n","stream":"stderr","time":"2026-07-01T10:00:00Z"}}',
        '{{"MESSAGE":"{}","__REALTIME_TIMESTAMP":"1"}}',
        '{{"timestamp":"2026-07-01T10:00:00Z","level":"INFO","fields":{{"message":"{}"}}}}',
    ],
)
def test_what_carries_a_line_is_taken_off(wrapped: str) -> None:
    lines = START.rstrip("\n").split("\n")
    text = "".join(wrapped.format(line) + "\r\n" for line in lines)
    found = logs.plain(text).split("\n")
    assert [line.strip() for line in found] == [*lines, ""]


def test_columns_are_those_that_are_seen() -> None:
    stamp = "2026-07-01T10:00:00.123456789Z "
    assert logs.plain(f"{stamp}abc") == " " * len(stamp) + "abc"


def test_lines_that_the_runtime_split_are_joined_where_they_begin() -> None:
    stamp = "2026-07-01T10:00:00Z stdout"
    cri = f"{stamp} P one \n{stamp} P two \n{stamp} F three\nx\n"
    assert [line.strip() for line in logs.plain(cri).split("\n")] == ["one two three", "", "", "x", ""]
    docker = '{"log":"one ","stream":"stdout","time":"t"}\n{"log":"two\\n","stream":"stdout","time":"t"}\n'
    assert [line.strip() for line in logs.plain(docker).split("\n")] == ["one two", "", ""]


def test_every_pod_of_a_log_speaks_for_itself(tmp_path: Path) -> None:
    both = "".join(
        f"[pod/llm-{pod}/vllm] 2026-07-01T10:00:00Z {line}\n" for line in START.splitlines() for pod in (0, 1)
    )
    (workload,) = read((), written(tmp_path, both).texts).workloads
    assert [(one.replica, one.container) for one in workload.told] == [("llm-0", "vllm"), ("llm-1", "vllm")]
    first, second = (one.text.split("\n") for one in workload.told)
    assert "API server" in first[0] and "API server" in second[1] and not first[1] and not second[0]


def test_services_of_compose_speak_for_themselves(tmp_path: Path) -> None:
    text = "vllm-1   | one\nproxy-1  | two\nvllm-1   | three\n"
    (workload,) = read((), written(tmp_path, text).texts).workloads
    assert [(one.replica, one.text.split()) for one in workload.told] == [
        ("vllm-1", ["one", "three"]),
        ("proxy-1", ["two"]),
    ]


def test_of_a_long_log_the_last_start_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PART", 4096)
    monkeypatch.setattr(module, "_HEAD", 16384)
    monkeypatch.setattr(module, "_AGAIN", 16384)
    requests = '127.0.0.1 "POST /v1/completions" 200 OK\n' * 3000
    evidence = written(tmp_path, START + requests + START.replace("2048", "4096") + requests)
    text = evidence.texts[0].text
    assert evidence.status == "complete"
    lines = text.split("\n")
    assert "4096" in lines[3 + 3000 + 1] and "2048" not in text
    assert not any(lines[: 3 + 3000])


@given(st.integers(min_value=1, max_value=9000))
def test_a_later_start_is_found_wherever_it_lies(offset: int) -> None:
    limits = module._PART, module._HEAD
    module._PART, module._HEAD = 512, 2048
    try:
        data = (START + "x\n" * 2000 + "y" * offset + "\n" + START.replace("2048", "4096") + "z\n" * 999).encode()
        part = module._parts(io.BytesIO(data).read)
    finally:
        module._PART, module._HEAD = limits
    assert part.data.startswith(b"INFO") and b"4096" in part.data
    assert part.before == data[: data.rfind(b"INFO 07-01 10:00:00 [api_server")].count(b"\n")


def test_a_long_log_of_several_pods_says_what_was_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_HEAD", 16384)
    evidence = written(tmp_path, "[pod/llm-0/vllm] something\n" * 60000)
    assert evidence.status == "partial" and "several pods" in evidence.reason


def test_a_compressed_log(tmp_path: Path) -> None:
    assert written(tmp_path, gzip.compress(START.encode())).texts[0].text == START
    twice = gzip.compress(START.encode()) + gzip.compress(b"more\n")
    assert written(tmp_path, twice).texts[0].text == START + "more\n"
    half = gzip.compress(START.encode() * 100)[:-40]
    assert written(tmp_path, half).texts[0].text.startswith(START)


def test_a_bomb_costs_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FARTHEST_UNKNOWN", 2**23)
    evidence = written(tmp_path, gzip.compress(b"0" * 79 + b"\n" + b"\n" * (64 * 2**20)))
    assert evidence.status == "partial" and len(evidence.texts[0].text) < 2**20


def test_what_is_no_log(tmp_path: Path) -> None:
    for content in (b"", b"\n \n", b"\0" * 100, bytes(range(256)) * 64):
        evidence = written(tmp_path, content)
        assert evidence.status == "failed" and evidence.errors[0].hint
    for target in ("", tmp_path, tmp_path / "none", "/dev/zero"):
        evidence = collect(target)
        assert evidence.status == "failed" and evidence.errors[0].hint


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    evidence = written(tmp_path, b"\0\0\0" + START.encode() + b"\xff\xfe caf\xe9\n")
    assert evidence.status == "complete" and evidence.texts[0].text.startswith(START)


@pytest.mark.parametrize(
    "line",
    [
        "args: Namespace(host=None, api_key='canary-one', port=1)",
        "non-default args: {'api_key': ['canary-one', 'canary two'], 'port': 1}",
        'Args { model_id: "x", api_key: Some("canary-one"), port: 1 }',
        'Args {\n    api_key: Some(\n        "canary-one",\n    ),\n    port: 1,\n}',
        'env="map[CUDA:1 OLLAMA_API_KEY:canary-one PORT:1]"',
        '{"log":"HF_TOKEN=canary-one\\n","stream":"stdout","time":"2026-07-01T10:00:00Z"}',
        '"api_keys": [\n  "canary-one"\n]',
        "\x1b[31mapi_key\x1b[0m=\x1b[32mcanary-one\x1b[0m port=1",
        "launching vllm serve org/m --api-key canary-one --port 1",
        "-----BEGIN PRIVATE KEY-----\ncanary-one\n-----END PRIVATE KEY-----\nport 1",
        "GET https://user:canary-one@host/x?token=canary-two",
    ],
)
def test_no_secret_of_a_log_goes_on(tmp_path: Path, line: str) -> None:
    evidence = written(tmp_path, f"first\n{line}\nlast\n")
    text = evidence.texts[0].text
    assert "canary" not in text
    assert text.count("\n") == line.count("\n") + 3 and text.split("\n")[-2] == "last"


def test_what_is_no_secret_stays() -> None:
    line = "args: Namespace(api_key=None, hf_token=None, port=8000, eos_token='</s>')"
    assert logs.clean(line, Redactor()) == line


@given(st.text(alphabet=st.sampled_from("ab \n\r\0{}[]()'\":=,\x1bm0K;|stdoutFP2026-01T:Z"), max_size=300))
def test_any_text_keeps_its_lines(text: str) -> None:
    assert logs.clean(text, Redactor(b"k" * 32)).count("\n") == text.count("\n")


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    evidence = written(tmp_path_factory.mktemp("log"), data)
    assert evidence.status in ("complete", "partial", "failed")
