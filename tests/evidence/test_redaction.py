"""No planted secret survives, whatever it looks like and wherever it stands; what is no secret stays."""

from __future__ import annotations

import base64
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askew.collectors.reading import redacted_text
from askew.evidence.redaction import (
    MARKER,
    Recalling,
    Redactor,
    is_redacted,
    is_secret_name,
    shown,
    tell_of_each_other,
)
from askew.evidence.yaml import read

# Long enough that it cannot stand anywhere by chance.
secrets = st.text("abcdefghjkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ0123456789_+.", min_size=12, max_size=40).filter(
    lambda text: text.strip("._+") == text and not text.isdecimal()
)
phrases = st.lists(secrets, min_size=2, max_size=3).map(" ".join)
names = st.sampled_from(
    ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "OPENAI_API_KEY", "VLLM_API_KEY", "AWS_SECRET_ACCESS_KEY", "DB_PASSWORD",
     "MYSQL_PWD", "POSTGRES_PASS", "NGC_API_KEY", "API_KEY_2", "clientSecret", "apiKey", "LICENSE_KEY"]
)  # fmt: skip
flags = st.sampled_from(["--api-key", "--hf-token", "--api_key", "--admin-api-key", "--password", "--auth-token"])

REDACTOR = Redactor(b"k" * 32)


def survives(secret: str, text: str) -> bool:
    return any(part in text for part in secret.split())


def document_text(source: str) -> str:
    """Everything a redacted document can show: its values and its raw lines."""
    stream = read(source, "s.yaml")
    documents = stream.documents
    assert not stream.errors
    for document in documents:
        REDACTOR.document(document)
    lines = "\n".join(line for document in documents for line in document.lines)
    return json.dumps([document.root.value for document in documents], default=str) + lines


LINES = [
    "{flag} {secret}",
    "{flag}={secret}",
    "vllm serve org/model {flag} {secret} --dtype half",
    "vllm serve org/model \\\n  {flag} \\\n  {secret} --dtype half",
    "docker run -e {name}={secret} image",
    'docker run -e "{name}={secret}" image',
    "export {name}={secret}\nvllm serve org/model",
    "{name}={secret} vllm serve org/model",
    'bash -c "{name}={secret} vllm serve org/model"',
    'curl -H "Authorization: Bearer {secret}" http://host/v1',
    'curl -H "x-api-key: {secret}" http://host/v1',
    "http://user:{secret}@host:8000/v1",
    "http://:{secret}@host:8000/v1",
    "http://host/v1?api_key={secret}&x=1",
    '{{"{name}": "{secret}"}}',
    "{name}: {secret}\nother: 1",
    "[section]\n{name} = {secret}\n",
]
QUOTED = [
    'vllm serve m {flag} "{secret}" --dtype half',
    "vllm serve m {flag}='{secret}' --dtype half",
    'export {name}="{secret}"',
    "{name}='{secret}' vllm serve m",
    'docker run -e "{name}={secret}" image',
    'Environment="A=1" "{name}={secret}"',
    '{{"{name}": "{secret}"}}',
    '{name}: "{secret}"\n',
]


@pytest.mark.parametrize("line", LINES)
@given(secret=secrets, name=names, flag=flags)
@settings(max_examples=30)
def test_no_secret_survives_in_text(line: str, secret: str, name: str, flag: str) -> None:
    out = REDACTOR.text(line.format(secret=secret, name=name, flag=flag))
    assert not survives(secret, out)
    assert is_redacted(out)
    assert REDACTOR.text(out) == out


@pytest.mark.parametrize("line", QUOTED)
@given(secret=phrases, name=names, flag=flags)
@settings(max_examples=30)
def test_no_part_of_a_quoted_phrase_survives(line: str, secret: str, name: str, flag: str) -> None:
    out = REDACTOR.text(line.format(secret=secret, name=name, flag=flag))
    assert not survives(secret, out)
    assert REDACTOR.text(out) == out


@given(secret=st.one_of(secrets, phrases), name=names, flag=flags)
def test_no_secret_survives_in_a_vector(secret: str, name: str, flag: str) -> None:
    words = ["vllm", "serve", "org/model", flag, secret, "--dtype", "half", f"{flag}={secret}", "-e"]
    words.append(f"{name}={secret}")
    out = REDACTOR.words(words)
    assert not survives(secret, " ".join(out))
    assert [out[i] for i in (0, 1, 2, 3, 5, 6, 8)] == [words[i] for i in (0, 1, 2, 3, 5, 6, 8)]


def test_several_keys_behind_one_flag_all_go_and_the_model_stays() -> None:
    out = REDACTOR.words(["vllm", "serve", "--api-key", "first-key", "second-key", "org/model", "--dtype", "half"])
    assert "first-key" not in out and "second-key" not in out
    assert out[5:] == ["org/model", "--dtype", "half"]
    text = REDACTOR.text("vllm serve --api-key first-key second-key --dtype half && echo done")
    assert "first-key" not in text and "second-key" not in text
    assert text.endswith(" --dtype half && echo done")


@given(secret=st.one_of(secrets, phrases), name=names)
@settings(max_examples=60)
def test_no_secret_survives_in_a_document(secret: str, name: str) -> None:
    encoded = base64.b64encode(secret.encode()).decode()
    quoted = json.dumps(secret)
    out = document_text(f"""\
apiVersion: v1
kind: Secret
metadata: {{name: keys, namespace: ns}}
stringData: {{anything: {quoted}}}
data:
  other: {encoded}
  # a comment
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: llm
spec:
  template:
    spec:
      containers:
      - name: c
        env:
        - {{name: {name}, value: {quoted}}}
        args: [--api-key, {quoted}, --dtype, half]
        command: [sh, -c, 'export {name}="{secret}"; exec vllm serve m']
---
services:
  llm:
    environment:
    - {json.dumps(f"{name}={secret}")}
  other:
    environment: {{{name}: {quoted}}}
""")
    assert not survives(secret, out)
    assert encoded not in out
    for kept in ("keys", "llm", "--dtype", "half", "a comment"):
        assert kept in out


def test_a_secret_keeps_its_names_and_equal_secrets_are_equal() -> None:
    source = """\
apiVersion: v1
kind: Secret
metadata: {name: hf-token, namespace: prod}
data: {token: c2VjcmV0LXZhbHVlLTE=}
stringData: {same: secret-value-1, number: 12345}
"""
    document = next(iter(read(source, "s.yaml")))
    REDACTOR.document(document)
    root = document.root
    assert root["metadata"].value == {"name": "hf-token", "namespace": "prod"}
    assert root["data"]["token"].value == root["stringData"]["same"].value == REDACTOR.marker("secret-value-1")
    assert is_redacted(root["stringData"]["number"].value)


def test_a_list_of_secrets_and_numbers_as_passwords() -> None:
    items = "items:\n- metadata: {name: a}\n  data: {k: cGxhbnRlZC1zZWNyZXQ=}\n"
    out = document_text(f"kind: SecretList\napiVersion: v1\n{items}")
    assert "cGxhbnRlZC1zZWNyZXQ=" not in out and '"a"' in out
    assert "123456789" not in document_text("services: {a: {environment: {DB_PASSWORD: 123456789}}}\n")


def test_what_a_secret_was_applied_with_goes_too() -> None:
    applied = json.dumps({"apiVersion": "v1", "kind": "Secret", "data": {"x": "cGxhbnRlZC1zZWNyZXQ="}})
    source = json.dumps(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": applied}}, "data": {}}
    )  # fmt: skip
    assert "cGxhbnRlZC1zZWNyZXQ" not in document_text(source)


@pytest.mark.parametrize(
    "text",
    [
        "hf_" + "aB3" * 10, "sk-" + "x9Y" * 10, "nvapi-" + "q" * 30, "ghp_" + "A1" * 12, "AKIA" + "ABCD" * 4,
        "glpat-" + "z" * 20, "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl", "https://0123456789abcdef01234567@host/x",
    ],
)  # fmt: skip
def test_tokens_of_known_issuers_go_wherever_they_stand(text: str) -> None:
    out = REDACTOR.text(f"see {text} there")
    assert is_redacted(out)
    assert text not in out
    assert out.startswith("see ") and out.endswith(" there")


@pytest.mark.parametrize(
    "text",
    [
        "vllm serve org/model --max-model-len 8192 --tokenizer org/model --tokenizer-mode auto",
        "TOKENIZERS_PARALLELISM=false MAX_TOKENS=100 EOS_TOKEN_ID=2 vllm serve m",
        "--max-num-batched-tokens 8192 --enable-auto-tool-choice",
        "--api-key $(API_KEY)",
        "--api-key $API_KEY",
        "HF_TOKEN=${HF_TOKEN}",
        "HF_TOKEN=$(cat /run/secrets/token)",
        "http://host:8000/v1/models",
        "--api-key <your-key>",
        "eos_token: </s>",
        "org/key-value-model",
        "stop_token: abc",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert REDACTOR.text(text) == text


@pytest.mark.parametrize("value", ["$ecret", "${DB_PASSWORD:-hunter2x}", "{{ .x }}hunter", "<hunter2>x"])
def test_what_only_looks_like_a_reference_goes(value: str) -> None:
    out = REDACTOR.variable("DB_PASSWORD", value)
    assert is_redacted(out)
    assert "hunter" not in out and "ecret" not in out


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("HF_TOKEN", True), ("apiKey", True), ("API_KEY_1", True), ("DB_PASS", True), ("MYSQL_PWD", True),
        ("example.com/password", True), ("nvidia.com/gpu", False), ("PWD", False), ("OLDPWD", False),
        ("EOS_TOKEN", False), ("MAX_TOKENS", False), ("tokenizer", False),
        ("secretName", False), ("TOKENIZERS_PARALLELISM", False), ("VLLM_ATTENTION_BACKEND", False),
        ("max_prompt_adapter_token", False),
    ],
)  # fmt: skip
def test_names(name: str, secret: bool) -> None:
    assert is_secret_name(name) is secret


def test_markers_tell_nothing_between_keys_and_are_never_shown() -> None:
    assert Redactor(b"a").marker("x") != Redactor(b"b").marker("x")
    assert Redactor().marker("x") != Redactor().marker("x")
    assert shown(f"--api-key {REDACTOR.marker('x')} -v") == "--api-key <redacted> -v"
    assert MARKER.fullmatch(REDACTOR.marker("\ud800"))


@pytest.mark.parametrize(
    "text",
    ["a" * 200_000 + " key", "eyJ-" * 50_000, "--a-" * 50_000 + "token", "A_" * 100_000 + "KEY=", "://@" * 50_000,
     "'" * 100_000 + "token", '"token":' * 20_000, "bearer " * 30_000, "key=" * 50_000, "\\" * 100_000 + '"token":"'],
    ids=range(10),
)  # fmt: skip
def test_hostile_text_takes_bounded_time(text: str) -> None:
    import time

    begin = time.process_time()
    REDACTOR.text(text)
    is_secret_name(text)
    assert time.process_time() - begin < 2


def test_what_an_anchor_holds_is_redacted_everywhere() -> None:
    levels = "".join(f"b{i}: &a{i + 1} [*a{i}, *a{i}, *a{i}, *a{i}]\n" for i in range(6))
    assert "planted-secret-value" not in document_text("a: &a0 {HF_TOKEN: planted-secret-value}\n" + levels)


def test_the_path_of_a_file_with_credentials_is_no_secret() -> None:
    redactor = Redactor()
    path = "/etc/secrets/user-gcp-sa.json"
    assert redactor.variable("GOOGLE_APPLICATION_CREDENTIALS", path) == path
    assert redactor.variable("MY_CREDENTIALS", path) != path


@pytest.mark.parametrize(
    ("text", "kept", "hidden"),
    [
        ("api_key=['first one', 'second'], dtype=half", ("dtype=half", "api_key=['"), ("first one", "second")),
        ("{'api_key': ['first'], 'eos_token': ['</s>']}", ("</s>",), ("first",)),
        ('api_keys: [first, "second"]\nports: [1]\n', ("ports: [1]",), ("first", "second")),
        ('a:\n  api_keys:\n  - first\n  - "second"\n  other:\n  - third\n', ("third",), ("first", "second")),
        ("password: |\n  first\n  second\nuser: me\n", ("user: me", "password: |\n"), ("first", "second")),
        ("auth: [basic]\nauth:\n- basic\n", ("auth: [basic]\nauth:\n- basic\n",), ()),
        ("token:\n  - name: a\n    value: b\n", ("name: a\n    value: b",), ()),
        ("env:\n- name: API_KEY\n  valueFrom:\n    secretKeyRef:\n      name: a\n", ("name: a",), ()),
        ("Exec=--api-key first --port 1", ("--port 1",), ("first",)),
        ("api_key=[None], other_api_key=[]", ("api_key=[None], other_api_key=[]",), ()),
    ],
)
def test_lists_and_blocks_behind_a_name_of_a_secret(text: str, kept: tuple[str, ...], hidden: tuple[str, ...]) -> None:
    redactor = Redactor()
    out = redactor.text(text)
    assert all(part in out for part in kept), out
    assert not any(secret in out for secret in hidden), out
    assert out.count("\n") == text.count("\n")
    assert redactor.text(out) == out


def test_a_list_below_a_name_of_a_secret_is_hidden() -> None:
    [document] = read("api_keys: [first, second]\nports: [a]\nauth: [basic]\n", "a.yaml").documents
    Redactor().document(document)
    assert "first" not in repr(document.root.value) and document.root["ports"].value == ["a"]
    assert document.root["auth"].value == ["basic"]
    assert "first" not in "\n".join(document.lines) and "second" not in "\n".join(document.lines)


def test_markers_tell_their_key() -> None:
    one, other = Redactor(b"1" * 32), Redactor(b"2" * 32)
    assert one.marker("a") == Redactor(b"1" * 32).marker("a") != other.marker("a")
    assert one.marker("a")[:17] == one.marker("b")[:17] != other.marker("a")[:17]
    assert tell_of_each_other(one.marker("a"), one.marker("b")) and tell_of_each_other("plain", one.marker("a"))
    assert not tell_of_each_other(one.marker("a"), other.marker("a"))
    assert not tell_of_each_other({"a": [one.marker("a")]}, {"b": other.marker("a")})


def test_what_was_hidden_in_one_place_is_found_in_another() -> None:
    recalling = Recalling()
    recalling.variable("HF_TOKEN", "abc-123-def-456")
    recalling.variable("A_PASSWORD", "short")
    recalling.variable("B_PASSWORD", "models/llama-3.1-8b")
    recalling.variable("C_PASSWORD", "max-num-seqs: 256\nmax-num-seqs=2560\nMIIEvAIBADANBgkqhki0")
    assert (
        recalling.without("see abc-123-def-456, short models/llama-3.1-8b")
        == "see ***************, short models/llama-3.1-8b"
    )
    assert recalling.without("max-num-seqs: 256, max-num-seqs=2560") == "max-num-seqs: 256, max-num-seqs=2560"
    assert recalling.without("MIIEvAIBADANBgkqhki0") == "*" * 20


@pytest.mark.parametrize("unit", ["\n", " \n", "- ", "\r\n", "\t"])
def test_blank_lines_cost_what_they_are_long(unit: str) -> None:
    before = time.monotonic()
    Redactor().text("token:" + unit * 100_000)
    redacted_text("KEY=" + unit * 100_000, Redactor(), variables=True)
    assert time.monotonic() - before < 15


def test_a_variable_without_a_value_leaves_the_next_one_alone() -> None:
    text = "HF_TOKEN=\nMAX_MODEL_LEN=4096\nexport A_TOKEN = canary-7f3e\n"
    found = redacted_text(text, Redactor(), variables=True)
    assert found.startswith("HF_TOKEN=\nMAX_MODEL_LEN=4096\nexport A_TOKEN = redacted:")
