"""``askew golden`` against servers on loopback that answer as real ones do."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.cli.run import run
from askew.facts.catalogue import FACTS
from tests.serving import Answer, Served, as_json, as_text, serving

MODELS = as_json({"object": "list", "data": [{"id": "acme/chat", "object": "model"}]})


def chat(words: str, *chances: float, finish: str = "stop") -> Answer:
    tokens = [
        {
            "token": word,
            "logprob": chance,
            "top_logprobs": [{"token": word, "logprob": chance}, {"token": "~", "logprob": -9}],
        }
        for word, chance in zip(words.split(), chances, strict=False)
    ]
    choice = {"index": 0, "message": {"role": "assistant", "content": words}, "finish_reason": finish}
    return as_json({"choices": [{**choice, "logprobs": {"content": tokens} if tokens else None}]})


def v2(*values: float) -> Answer:
    output = {"name": "score", "datatype": "FP32", "shape": [len(values)], "data": list(values)}
    return as_json({"model_name": "churn", "model_version": "3", "outputs": [output]})


ROW = {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1.0, 2.0]}]}
INDEX = as_json([{"name": "churn", "version": "3", "state": "READY"}])
LOGPROBS = {"tokens": [" you"], "token_logprobs": [-0.5], "top_logprobs": [{" you": -0.5, " me": -2}]}
YOU = as_json({"choices": [{"text": " you", "finish_reason": "stop", "logprobs": LOGPROBS}]})
TEI = as_json({
    "model_id": "m", "model_type": {"embedding": {"pooling": "cls"}}, "max_batch_tokens": 16384,
    "tokenization_workers": 4, "version": "1.8.0",
})  # fmt: skip


def embedding(vector: object) -> Answer:
    return as_json({"data": [{"embedding": vector}]})


def calling(name: str, call: str) -> Answer:
    tool = {"id": call, "type": "function", "function": {"name": name, "arguments": "{}"}}
    message = {"role": "assistant", "content": None, "tool_calls": [tool]}
    return as_json({"choices": [{"message": message, "finish_reason": "tool_calls"}]})


VECTORS = embedding([1.0, 0.0])
LIKELY = {"token": " you", "logprob": -0.5, "top_logprobs": [{"token": " you", "logprob": -0.5}]}
LLAMA = as_json({"choices": [{"text": " you", "finish_reason": "stop", "logprobs": {"content": [LIKELY]}}]})
VECTOR = base64.b64encode(struct.pack("<3f", 0.1, 0.2, 0.3)).decode()
CASES: Mapping[str, tuple[object, dict[str, Answer], dict[str, Answer], str]] = {
    "chat": (
        "Hello", {"/v1/models": MODELS, "POST /v1/chat/completions": chat("a b", -0.1, -0.2)},
        {"POST /v1/chat/completions": chat("a c", -0.1, -0.2)}, "after 1 tokens: 'b', now 'c'",
    ),
    "messages": (
        {"messages": [{"role": "user", "content": "Hello"}]},
        {"/v1/models": MODELS, "POST /v1/chat/completions": chat("a b")},
        {"POST /v1/chat/completions": chat("a c")}, "character 3",
    ),
    "completions": (
        {"prompt": "Hello"},
        {"/v1/models": MODELS, "POST /v1/completions": YOU},
        {"POST /v1/completions": as_json({"choices": [{"text": " me", "finish_reason": "stop", "logprobs": None}]})},
        "' you', now ' me'",
    ),
    "embeddings": (
        {"input": "Hello"}, {"/v1/models": MODELS, "POST /v1/embeddings": embedding([1.0, 0.0])},
        {"POST /v1/embeddings": embedding([0.0, 1.0])}, "1 - cosine is 1",
    ),
    "several embeddings": (
        {"input": ["Hello", "Bye"]},
        {"/v1/models": MODELS, "POST /v1/embeddings": as_json({"data": [{"embedding": [1.0]}, {"embedding": [1.0]}]})},
        {"POST /v1/embeddings": as_json({"data": [{"embedding": [1.0]}, {"embedding": [-1.0]}]})},
        "vector 2: 1 - cosine is 2",
    ),
    "embeddings in base64": (
        {"input": "Hello"}, {"/v1/models": MODELS, "POST /v1/embeddings": embedding(VECTOR)},
        {"POST /v1/embeddings": embedding([0.1, 0.2])}, "3 dimensions, now 2",
    ),
    "tei": (
        "Hello", {"/info": TEI, "POST /embed": as_json([[1.0, 0.0]])},
        {"POST /embed": as_json([[0.5, 0.5]])}, "1 - cosine is 0.293",
    ),
    "v2": (ROW, {"POST /v2/repository/index": INDEX, "POST /v2/models/churn/infer": v2(0.25, 0.75)},
           {"POST /v2/models/churn/infer": v2(0.25, 0.7)}, "[0].data[1]: 0.75, now 0.7"),
    "mlflow": (
        {"dataframe_split": {"columns": ["a"], "data": [[1]]}}, {"POST /invocations": as_json({"predictions": [1, 0]})},
        {"POST /invocations": as_json({"predictions": [1, 1]})}, "[1]: 0, now 1",
    ),
    "mlflow by its ping": (
        {"instances": [[1]]}, {"/ping": as_text(""), "POST /invocations": as_json({"predictions": ["a"]})},
        {"POST /invocations": as_json({"predictions": ["b"]})}, "'a', now 'b'",
    ),
    "torchserve": (
        {"instances": [[1]]},
        {"/ping": as_json({"status": "Healthy"}), "POST /predictions/doubler": Answer(200, b'{\n  "y": 2\n}')},
        {"POST /predictions/doubler": Answer(200, b'{\n  "y": 3\n}')}, "y: 2, now 3",
    ),
    "torchserve by its management port": (
        "a text",
        {"/models": as_json({"models": [{"modelName": "doubler", "modelUrl": "doubler.mar"}]}),
         "POST /predictions/doubler": as_text("positive")},
        {"POST /predictions/doubler": as_text("negative")}, "'positive', now 'negative'",
    ),
    "infinity": (
        "a text", {"/models": as_json({"data": [{"id": "m", "owned_by": "infinity"}]}), "POST /embeddings": VECTORS},
        {"POST /embeddings": embedding([0.0, 1.0])}, "1 - cosine is 1",
    ),
    "kserve": (
        {"instances": [[1]]},
        {"/v2": as_json({"name": "kserve", "version": "0.21.0", "extensions": ["model_repository_extension"]}),
         "/v2/models": as_json({"models": ["doubler"]}),
         "POST /v1/models/doubler:predict": as_json({"predictions": [3]})},
        {"POST /v1/models/doubler:predict": as_json({"predictions": [4]})}, "[0]: 3, now 4",
    ),
    "kserve that tells its models alone": (
        {"instances": [[1]]},
        {"/v1/models": as_json({"models": ["doubler"]}),
         "POST /v1/models/doubler:predict": as_json({"predictions": [3.5]})},
        {"POST /v1/models/doubler:predict": as_json({"predictions": [3.6]})}, "[0]: 3.5, now 3.6",
    ),
    "tensorflow serving": (
        {"instances": [[1]]},
        {"/v1/models/default": as_json({"model_version_status": [{"version": "1", "state": "AVAILABLE"}]}),
         "/v1/models/default/metadata": as_json({"model_spec": {"name": "default"}}),
         "POST /v1/models/default:predict": as_json({"predictions": [[0.25, 0.75]]})},
        {"POST /v1/models/default:predict": as_json({"predictions": [[0.5, 0.5]]})}, "[0][0]: 0.25, now 0.5",
    ),
    "a tool": (
        "What time is it?", {"/v1/models": MODELS, "POST /v1/chat/completions": calling("clock", "call-1")},
        {"POST /v1/chat/completions": calling("watch", "call-1")}, "'clock({})', now 'watch({})'",
    ),
    "completions as llama.cpp tells them": (
        {"prompt": "Hello"}, {"/v1/models": MODELS, "POST /v1/completions": LLAMA},
        {"POST /v1/completions": as_json({"choices": [{"text": " we", "finish_reason": "stop"}]})}, "now ' we'",
    ),
}  # fmt: skip


# What TorchServe answers on its port for predictions names no model.
NAMED = {"torchserve": ("--model", "doubler")}


@contextmanager
def moving(answers: dict[str, Answer]) -> Iterator[tuple[Served, dict[str, Answer]]]:
    """A server whose answers can be changed."""
    with serving(answers) as served:
        yield served, answers


def write(*inputs: object) -> str:
    Path("inputs.jsonl").write_text("".join(json.dumps(one) + "\n" for one in inputs))
    return "inputs.jsonl"


@pytest.mark.parametrize("name", CASES)
def test_what_is_recorded_is_verified_and_a_change_is_found(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    given, answers, changed, said = CASES[name]
    with moving(dict(answers)) as (served, now):
        words = ["golden", "record", served.url, "--inputs", write(given), "-o", "golden.json", *NAMED.get(name, ())]
        assert run(words) == 0, capsys.readouterr().err
        golden = json.loads(Path("golden.json").read_text())
        assert golden["schema"] == "askew/golden/v1" and golden["url"] == served.url and golden["cases"][0]["stable"]
        assert run(["golden", "verify", "golden.json"]) == 0
        assert "same: 1 same" in capsys.readouterr().out
        now.update(changed)
        assert run(["golden", "verify", "golden.json", served.url, "-o", "v.json"]) == 1
        out = capsys.readouterr().out
        assert said in out and "different: 1 different" in out
    checked = json.loads(Path("v.json").read_text())
    assert checked["verdict"] == "different" and checked["golden"] == golden["digest"] != checked["digest"]


def test_the_ids_of_calls_are_drawn_by_lot() -> None:
    with moving({"/v1/models": MODELS, "POST /v1/chat/completions": calling("clock", "call-1")}) as (served, now):
        assert run(["golden", "record", served.url, "--inputs", write("Hi"), "-o", "golden.json"]) == 0
        now["POST /v1/chat/completions"] = calling("clock", "call-2")
        assert run(["golden", "verify", "golden.json"]) == 0


def test_a_url_may_name_the_model(capsys: pytest.CaptureFixture[str]) -> None:
    given, answers, _, _ = CASES["tensorflow serving"]
    named = {name.replace("default", "churn"): answer for name, answer in answers.items()}
    with serving(named) as served:
        words = ["golden", "record", f"{served.url}/v1/models/churn", "--inputs", write(given), "-o", "golden.json"]
        assert run(words) == 0, capsys.readouterr().err
        assert run(["golden", "verify", "golden.json"]) == 0
    golden = json.loads(Path("golden.json").read_text())
    assert (golden["api"], golden["model"]) == ("v1", "churn")


def test_the_api_is_what_the_user_says(capsys: pytest.CaptureFixture[str]) -> None:
    answers = {"/v1/models": MODELS, "POST /predictions/m": as_json({"y": 2})}
    words = ["--api", "torchserve", "--model", "m"]
    with serving(answers) as served:
        assert run(["golden", "record", served.url, "--inputs", write("Hi"), "-o", "golden.json", *words]) == 0
    assert json.loads(Path("golden.json").read_text())["api"] == "torchserve"


def test_a_language_model_is_asked_without_chance() -> None:
    with serving({"/v1/models": MODELS, "POST /v1/chat/completions": chat("a", -0.1)}) as served:
        run(["golden", "record", served.url, "--inputs", write("Hi", "Ho"), "-o", "g.json", "--max-tokens", "7"])
    assert [q for q in served.questions if q.startswith("POST")] == ["POST /v1/chat/completions"] * 4
    from askew.collectors.asking import Reply
    from askew.engines.live import Ask
    from askew.probe.speak import Speaker

    seen: list[dict] = []

    def send(question: Ask) -> Reply:
        seen.append(json.loads(question.body))
        return Reply(status=200, body=chat("a").body)

    Speaker(send, "chat", "m", 7).ask("Hi")
    assert seen[0] == {
        "model": "m", "temperature": 0, "seed": 0, "n": 1, "max_tokens": 7, "stream": False, "logprobs": True,
        "top_logprobs": 5, "messages": [{"role": "user", "content": "Hi"}],
    }  # fmt: skip


def test_a_server_that_offers_no_log_probabilities_is_asked_without() -> None:
    from askew.collectors.asking import Reply
    from askew.engines.live import Ask
    from askew.probe.speak import Speaker

    def send(question: Ask) -> Reply:
        if "logprobs" in json.loads(question.body):
            return Reply(status=400, body=b'{"error": "logprobs are not supported"}')
        return Reply(status=200, body=chat("a").body)

    assert Speaker(send, "chat", "m", 7).ask("Hi") == {"text": "a", "finish": "stop", "tokens": []}


def test_what_the_server_answers_two_ways_is_not_compared(capsys: pytest.CaptureFixture[str]) -> None:
    from askew.collectors.asking import Reply
    from askew.engines.live import Ask
    from askew.probe.agree import Tolerance
    from askew.probe.golden import record, verify

    turn = 0

    def send(question: Ask) -> Reply:
        nonlocal turn
        turn += 1
        random = "dice" in question.body
        return Reply(status=200, body=v2(float(turn) if random else 0.5).body)

    def row(name: str) -> dict:
        return {"inputs": [{"name": name, "datatype": "FP32", "shape": [1], "data": [1]}]}

    def recorded(*inputs: dict):
        return record(send, "u", inputs, api="v2", model="m", max_tokens=1, tolerance=Tolerance(), tool="t", now="n")[0]

    golden = recorded(row("x"), row("dice"))
    assert [case.stable for case in golden.cases] == [True, False]
    checked, _ = verify(send, "u", golden, model="", tool="t", now="n")
    assert [one.outcome for one in checked.results] == ["same", "unstable"] and checked.verdict == "same"
    with pytest.raises(Exception, match="differently each time"):
        recorded(row("dice"))


FAILING: Mapping[str, tuple[object, dict[str, Answer], str]] = {
    "refused": ("Hi", {"/v1/models": MODELS, "POST /v1/chat/completions": as_json({}, 401)}, "ASKEW_API_KEY"),
    "failed": ("Hi", {"/v1/models": MODELS, "POST /v1/chat/completions": as_json({}, 500)}, "answered 500"),
    "no json": ("Hi", {"/v1/models": MODELS, "POST /v1/chat/completions": as_text("<html>")}, "no JSON"),
    "deep": ("Hi", {"/v1/models": MODELS, "POST /v1/chat/completions": as_text("[" * 99999)}, "no JSON"),
    "no choices": ("Hi", {"/v1/models": MODELS, "POST /v1/chat/completions": as_json({"choices": []})}, "not the form"),
    "two choices": ({"prompt": ["a", "b"]}, {"/v1/models": MODELS, "POST /v1/completions": as_json(
        {"choices": [{"text": "a"}, {"text": "b"}]})}, "2 answers"),
    "other form": ("Hi", {"/v1/models": MODELS, "POST /v1/chat/completions": as_json([1])}, "not the form"),
    "no models": ("Hi", {}, "--api"),
    "two models": (ROW, {"POST /v2/repository/index": as_json([{"name": "a"}, {"name": "b"}])}, "--model: a, b"),
    "no index": (ROW, {}, "--model"),
    "no vector": ({"input": "a"}, {"/v1/models": MODELS, "POST /v1/embeddings": embedding(["x"])},
                  "not the form"),
    "unknown": (3, {}, "--api"),
    "a page": ("Hi", {"/v1/models": as_text("<html>login</html>", media="text/html")}, "--api"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILING)
def test_a_server_that_gives_no_result_is_told(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    given, answers, said = FAILING[name]
    with serving(answers) as served:
        assert run(["golden", "record", served.url, "--inputs", write(given), "-o", "golden.json"]) == 2
    err = capsys.readouterr().err
    assert said in err and "hint: " in err
    assert not Path("golden.json").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("record", "http://127.0.0.1:9", "-o", "g"),
        ("record", "http://127.0.0.1:9", "--inputs", "nothing", "-o", "g"),
        ("record", "http://127.0.0.1:9", "--inputs", "inputs.jsonl"),
        ("record", "http://127.0.0.1:9", "--inputs", "inputs.jsonl", "-o", "g", "--api", "x"),
        ("record", "http://127.0.0.1:9", "--inputs", "inputs.jsonl", "-o", "g", "--max-tokens", "0"),
        ("record", "http://127.0.0.1:9", "--inputs", "inputs.jsonl", "-o", "g", "--cosine", "nan"),
        ("record", "http://127.0.0.1:9", "--inputs", "inputs.jsonl", "-o", "g", "--timeout", "-1"),
        ("record", "127.0.0.1:9", "--inputs", "inputs.jsonl", "-o", "g"),
        ("record", "http://u@h", "--inputs", "inputs.jsonl", "-o", "g"),
        ("record", "http://127.0.0.1:9", "--inputs", "inputs.jsonl", "-o", "g"),
        ("verify", "nothing"),
        ("verify", "inputs.jsonl"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    write("Hi")
    assert run(["golden", *words]) == 2
    assert "hint: " in capsys.readouterr().err
    assert not Path("g").exists()


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.just("\ud83d"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.tuples(ANY, ANY), min_size=1, max_size=4))
def test_whatever_is_recorded_is_read_again_and_agrees(pairs: list[tuple[object, object]]) -> None:
    from askew.collectors.asking import Reply
    from askew.engines.live import Ask
    from askew.probe.agree import Tolerance
    from askew.probe.golden import read, record, verify, written

    outputs = {json.dumps(one): json.dumps(other) for one, other in pairs}

    def send(question: Ask) -> Reply:
        return Reply(status=200, body=outputs[question.body].encode())

    golden, _ = record(
        send, "u", [one for one, _ in pairs], api="torchserve", model="m", max_tokens=1, tolerance=Tolerance(),
        tool="t", now="n",
    )  # fmt: skip
    again = read(written(golden).encode())
    assert written(again) == written(golden)
    checked, _ = verify(send, "u", again, model="", tool="t", now="n")
    assert checked.verdict == "same" and checked.digest == golden.digest
    assert json.loads(written(checked))["verdict"] == "same"


def test_nobody_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with serving({}) as served:
        url = served.url
    assert run(["golden", "record", url, "--inputs", write("Hi"), "-o", "g"]) == 2
    assert "Connection refused" in capsys.readouterr().err


def test_inputs_that_are_no_json_are_told_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    Path("inputs.jsonl").write_text('"a"\n\nHello\n')
    assert run(["golden", "record", "http://127.0.0.1:9", "--inputs", "inputs.jsonl", "-o", "g"]) == 2
    assert "inputs.jsonl:3: no JSON" in capsys.readouterr().err


def test_a_request_that_fails_leaves_the_verification_incomplete(capsys: pytest.CaptureFixture[str]) -> None:
    given, answers, _, _ = CASES["v2"]
    with moving(dict(answers)) as (served, now):
        run(["golden", "record", served.url, "--inputs", write(given), "-o", "golden.json"])
        now["POST /v2/models/churn/infer"] = as_json({"error": "busy"}, 503)
        assert run(["golden", "verify", "golden.json", "-o", "v.json", "--format", "json"]) == 3
    checked = json.loads(Path("v.json").read_text())
    assert (checked["verdict"], checked["digest"], checked["results"][0]["outcome"]) == ("incomplete", "", "failed")


def test_a_file_that_was_changed_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    given, answers, _, _ = CASES["v2"]
    with serving(answers) as served:
        run(["golden", "record", served.url, "--inputs", write(given), "-o", "golden.json"])
        Path("golden.json").write_text(Path("golden.json").read_text().replace("0.75", "0.5"))
        capsys.readouterr()
        assert run(["golden", "verify", "golden.json"]) == 2
    assert "the file was changed" in capsys.readouterr().err


def test_credentials_are_not_kept(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("ASKEW_API_KEY", "canary-1a2b3c4d5e")
    given, answers, _, _ = CASES["v2"]
    with serving(answers) as served:
        url = served.url.replace("http://", "http://user:canary-9z8y7x6w5v@")
        assert run(["golden", "record", url, "--inputs", write(given), "-o", "golden.json"]) == 0
        run(["golden", "verify", "golden.json", "-o", "v.json"])
        assert any("Authorization" in headers for headers in served.headers)
    said = capsys.readouterr()
    for text in (said.out, said.err, Path("golden.json").read_text(), Path("v.json").read_text()):
        assert "canary" not in text


def test_the_lock_states_them_and_a_change_is_a_finding(capsys: pytest.CaptureFixture[str]) -> None:
    given, answers, changed, _ = CASES["v2"]
    Path("unit.service").write_text("[Service]\nExecStart=/usr/bin/vllm serve acme/chat\n")
    with moving(dict(answers)) as (served, now):
        run(["golden", "record", served.url, "--inputs", write(given), "-o", "golden.json"])
        run(["golden", "verify", "golden.json", "-o", "same.json"])
        now.update(changed)
        run(["golden", "verify", "golden.json", "-o", "changed.json"])
    assert run(["lock", "unit.service+golden.json", "-o", "x.lock"]) == 0
    assert "model.golden_outputs" in Path("x.lock").read_text() and FACTS["model.golden_outputs"].severity == "high"
    capsys.readouterr()
    assert run(["diff", "unit.service+golden.json", "unit.service+same.json"]) == 0
    assert run(["diff", "unit.service+golden.json", "unit.service+changed.json", "--format", "json"]) == 1
    out = capsys.readouterr().out
    report = json.loads(out[out.index("{\n") :])
    [finding] = report["workloads"][0]["findings"]
    assert finding["rule"] == "model.golden_outputs" and finding["target"]["location"]["source"] == "changed.json"
    assert finding["target"]["origin"] == "measured"
