"""Servers that hang, stream without end, fail half-way or repeat secrets, and a user who has had enough."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from askew.cli.run import run
from askew.collectors.asking import Reply
from askew.engines.live import Ask
from askew.probe.agree import Tolerance
from askew.probe.golden import Golden, record, verify
from askew.probe.speak import ProbeError
from tests.serving import Answer, as_json, serving

Write = Callable[..., str]
CANARY = "canary-7f3e9a1b5c2d"


def scored(value: float = 0.5) -> bytes:
    return as_json({"outputs": [{"name": "y", "datatype": "FP32", "shape": [1], "data": [value]}]}).body


def row(number: int) -> dict[str, object]:
    return {"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [number]}]}


def number_of(body: str) -> int:
    return int(json.loads(body)["inputs"][0]["data"][0])


class Server:
    """A server of numbers that answers as ``faults`` say, by the number that it is given."""

    def __init__(self, faults: dict[int, Reply | type[BaseException]] | None = None) -> None:
        self.faults = faults or {}
        self.asked: list[int] = []

    def __call__(self, question: Ask) -> Reply:
        number = number_of(question.body)
        self.asked.append(number)
        fault = self.faults.get(number)
        if isinstance(fault, type):
            raise fault
        return fault or Reply(status=200, body=scored(number))


def recording(server: Server, count: int = 6) -> tuple[Golden, bool]:
    return record(
        server, "u", [row(n) for n in range(1, count + 1)], api="v2", model="m", max_tokens=1, tolerance=Tolerance(),
        tool="t", now="n",
    )  # fmt: skip


def outcomes(server: Server, golden: Golden) -> list[str]:
    checked, _ = verify(server, "u", golden, model="", tool="t", now="n")
    return [one.outcome for one in checked.results]


HUNG = Reply(status=0, fault="no whole answer within 120 s")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Reply(status=429), "429"),
        (Reply(status=500), "500"),
        (HUNG, "no whole answer"),
        (Reply(status=200, body=b"<html>"), "no JSON"),
        (Reply(status=200, body=b'{"outputs": [{"name": "y"}]}'), "not the form"),
        (Reply(status=200, fault="more than 4,194,304 bytes"), "more than 4,194,304"),
    ],
)
def test_an_input_that_fails_is_left_out_and_said(fault: Reply, said: str) -> None:
    golden, interrupted = recording(Server({3: fault}))
    assert [number_of(json.dumps(case.input)) for case in golden.cases] == [1, 2, 4, 5, 6] and not interrupted
    assert golden.status == "partial" and "1 of 6 inputs have no output: input 3: " in golden.reason
    assert said in golden.reason.replace("not the form", "not the form")
    whole, _ = recording(Server())
    server = Server({3: fault})
    assert outcomes(server, whole) == ["same", "same", "failed", "same", "same", "same"]


def test_a_refused_key_ends_it() -> None:
    server = Server({n: Reply(status=401) for n in (3, 4, 5, 6)})
    golden, _ = recording(server)
    assert len(golden.cases) == 2 and server.asked == [1, 1, 2, 2, 3] and "401" in golden.reason
    whole, _ = recording(Server())
    server.asked.clear()
    assert outcomes(server, whole) == ["same", "same", "failed", "unasked", "unasked", "unasked"]
    assert server.asked == [1, 2, 3]


def test_a_server_that_fails_again_and_again_is_not_asked_on() -> None:
    whole, _ = recording(Server(), 100)
    server = Server(dict.fromkeys(range(3, 101), HUNG))
    found = outcomes(server, whole)
    assert server.asked == [1, 2, 3, 4, 5] and found.count("unasked") == 95
    with pytest.raises(ProbeError, match="no whole answer"):
        recording(Server(dict.fromkeys(range(1, 101), HUNG)), 100)


def test_ctrl_c_keeps_what_there_is() -> None:
    golden, interrupted = recording(Server({4: KeyboardInterrupt}))
    assert interrupted and len(golden.cases) == 3 and "Ctrl-C" in golden.reason and golden.status == "partial"
    with pytest.raises(KeyboardInterrupt):
        recording(Server({1: KeyboardInterrupt}))
    whole, _ = recording(Server())
    checked, interrupted = verify(Server({3: KeyboardInterrupt}), "u", whole, model="", tool="t", now="n")
    assert interrupted and checked.verdict == "incomplete" and checked.digest == ""
    assert [one.outcome for one in checked.results] == ["same"] * 2 + ["unasked"] * 4


def test_ctrl_c_at_the_command_line(
    monkeypatch: pytest.MonkeyPatch, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    from askew.collectors.http.transport import Transport

    answers = {
        "POST /v2/repository/index": as_json([{"name": "m"}]),
        "POST /v2/models/m/infer": as_json(json.loads(scored())),
    }
    ask = Transport.get

    def impatient(self: Transport, question: Ask) -> Reply:
        if "[3" in question.body:
            raise KeyboardInterrupt
        return ask(self, question)

    with serving(answers) as served:
        monkeypatch.setattr(Transport, "get", impatient)
        inputs = write(*(row(n) for n in range(1, 6)))
        assert run(["golden", "record", served.url, "--inputs", inputs, "-o", "golden.json"]) == 130
        golden = json.loads(Path("golden.json").read_text())
        assert golden["status"] == "partial" and len(golden["cases"]) == 2
        assert "3 of 5 inputs have no output: Ctrl-C" in capsys.readouterr().err
        assert run(["golden", "verify", "golden.json"]) == 0
        monkeypatch.setattr(Transport, "get", ask)
        assert run(["golden", "record", served.url, "--inputs", inputs, "-o", "whole.json"]) == 0
        monkeypatch.setattr(Transport, "get", impatient)
        assert run(["golden", "verify", "whole.json", "-o", "v.json"]) == 130
    assert json.loads(Path("v.json").read_text())["verdict"] == "incomplete"
    assert "3 more: not asked: interrupted" in capsys.readouterr().out


@contextmanager
def slow(path: str, endless: bool) -> Iterator[str]:
    """A server whose answer to ``path`` never ends, or never begins."""
    stop = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.answer()

        def answer(self) -> None:
            if not self.path.startswith(path):
                self.send_error(404)
                return
            if endless:
                self.send_response(200)
                self.end_headers()
            while not stop.wait(0.01):
                if endless:
                    self.wfile.write(b" " * 10)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that hangs up is what is tested
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        stop.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("endless", [False, True])
@pytest.mark.parametrize("path", ["/", "/v2/models"])
def test_a_server_that_hangs_or_streams_without_end_takes_bounded_time(
    path: str, endless: bool, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    with slow(path, endless) as url:
        begin = time.monotonic()
        words = ["golden", "record", url, "--inputs", write(row(1), row(2)), "-o", "g.json", "--model", "m"]
        assert run([*words, "--timeout", "1.5"]) == 2
        assert time.monotonic() - begin < 4
    err = capsys.readouterr().err
    assert "hint: " in err and not Path("g.json").exists()


def test_outputs_that_are_too_many_to_be_read_again_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("askew.probe.golden.MAX_BYTES", 700)
    golden, _ = recording(Server(), 50)
    assert 0 < len(golden.cases) < 10 and golden.status == "partial" and "more than 700 bytes" in golden.reason


def test_an_input_that_is_too_deep_is_refused(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    Path("inputs.jsonl").write_text('"a"\n' + "[" * 300 + "]" * 300 + "\n")
    assert run(["golden", "record", "http://127.0.0.1:9", "--inputs", "inputs.jsonl", "-o", "g"]) == 2
    assert "inputs.jsonl:2: more than 64" in capsys.readouterr().err


def test_a_file_that_exists_is_told_before_anything_is_sent(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    Path("g.json").write_text("mine")
    with serving({}) as served:
        assert run(["golden", "record", served.url, "--inputs", write("a"), "-o", "g.json"]) == 2
    assert served.questions == [] and Path("g.json").read_text() == "mine"
    assert "--force" in capsys.readouterr().err


@pytest.mark.parametrize("basic", [False, True])
def test_a_key_that_a_server_repeats_is_not_kept(
    basic: bool, monkeypatch: pytest.MonkeyPatch, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ASKEW_API_KEY", CANARY)
    encoded = base64.b64encode(f"user:{CANARY}".encode()).decode()
    text = f"you said Authorization: {encoded if basic else CANARY}, which is {CANARY}"
    echo = as_json({"choices": [{"message": {"content": text}, "finish_reason": "stop"}]})
    models = as_json({"object": "list", "data": [{"id": "m", "owned_by": CANARY, "max_model_len": 9}]})
    answers = {"/v1/models": models, "POST /v1/chat/completions": echo}
    with serving(answers) as served:
        url = served.url.replace("//", f"//user:{CANARY}@") if basic else served.url
        assert run(["golden", "record", url, "--inputs", write("Hi"), "-o", "g.json"]) == 0
        answers["POST /v1/chat/completions"] = as_json(
            {"choices": [{"message": {"content": f"no, {text}"}, "finish_reason": "stop"}]}
        )
        for format in ("text", "json", "sarif", "markdown", "github", "junit"):
            assert run(["golden", "verify", "g.json", url, "--format", format, "-o", "v.json", "--force"]) == 1
        answers["POST /v1/chat/completions"] = as_json({"error": CANARY}, 500)
        assert run(["golden", "verify", "g.json", url, "-o", "f.json"]) == 3
        assert run(["golden", "record", url, "--inputs", write("Hi"), "-o", "h.json"]) == 2
    said = capsys.readouterr()
    assert "you said" in Path("g.json").read_text()
    for kept in (said.out, said.err, *(Path(name).read_text() for name in ("g.json", "v.json", "f.json"))):
        assert CANARY not in kept and encoded not in kept


def test_the_key_goes_only_to_a_server_that_the_user_names(monkeypatch: pytest.MonkeyPatch, write: Write) -> None:
    answers = {
        "POST /v2/repository/index": as_json([{"name": "m"}]),
        "POST /v2/models/m/infer": as_json(json.loads(scored())),
    }
    with serving(answers) as served:
        assert run(["golden", "record", served.url, "--inputs", write(row(1)), "-o", "g.json"]) == 0
        monkeypatch.setenv("ASKEW_API_KEY", CANARY)
        served.headers.clear()
        assert run(["golden", "verify", "g.json"]) == 0
        assert served.headers and not any("Authorization" in headers for headers in served.headers)
        assert run(["golden", "verify", "g.json", served.url]) == 0
        assert served.headers[-1]["Authorization"] == f"Bearer {CANARY}"


def test_a_secret_that_a_model_writes_is_not_shown(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    def saying(text: str) -> Answer:
        return as_json({"choices": [{"message": {"content": text}, "finish_reason": "stop"}]})

    said = "export OPENAI_API_KEY=sk-proj-Zx81kQpLm20TnVbR47yWd93h"
    models = as_json({"object": "list", "data": [{"id": "m"}]})
    answers = {"/v1/models": models, "POST /v1/chat/completions": saying("no")}
    with serving(answers) as served:
        assert run(["golden", "record", served.url, "--inputs", write("Hi"), "-o", "old.json"]) == 0
        answers["POST /v1/chat/completions"] = saying(said)
        assert run(["golden", "record", served.url, "--inputs", write("Hi"), "-o", "new.json"]) == 0
        for format in ("text", "json", "sarif", "markdown", "github", "junit"):
            words = ["golden", "verify", "old.json", served.url, "--format", format, "-o", "v.json", "--force"]
            assert run(words) == 1
    for format in ("text", "json"):
        assert run(["diff", "old.json", "new.json", "--format", format]) == 1
    told = capsys.readouterr()
    for text in (told.out, told.err, Path("v.json").read_text()):
        assert "Zx81kQpLm20" not in text
    assert "Zx81kQpLm20" in Path("new.json").read_text()  # the outputs are kept as they are


HOSTILE = {
    "deep": b'{"schema": "askew/golden/v1", "cases": [{"input": ' + b"[" * 50_000,
    "no list": b'{"schema": "askew/golden/v1", "cases": 3}',
    "nothing": b"",
    "binary": bytes(range(256)),
    "other": b'{"schema": "askew/golden/v9"}',
    "number": b"1" * 5_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_is_none_is_told(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("g.json").write_bytes(HOSTILE[name])
    assert run(["golden", "verify", "g.json", "http://127.0.0.1:9"]) == 2
    assert "hint: " in capsys.readouterr().err
