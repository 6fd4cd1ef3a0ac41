"""No secret reaches an output: not a report, not a lock, not a message, in whatever place and form it was written."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cli.conftest import INPUTS, Askew

_MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: chat
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: {applied}
    acme.example/webhook-token: "{annotation}"
spec:
  selector: {{matchLabels: {{app: chat}}}}
  template:
    metadata: {{labels: {{app: chat}}}}
    spec:
      containers:
        - name: engine
          image: vllm/vllm-openai:v0.33.0
          args: [--model=acme/chat, --dtype={dtype}, {flag}]
          env:
            - {{name: HF_TOKEN, value: "{variable}"}}
            - {{name: VLLM_API_KEY, value: "{variable}2"}}
            - {{name: HTTPS_PROXY, value: "http://user:{url}@proxy:3128"}}
            - {{name: NCCL_DEBUG, value: "{dtype}"}}
          envFrom:
            - secretRef: {{name: keys}}
            - configMapRef: {{name: settings}}
          volumeMounts: [{{name: keys, mountPath: /keys}}]
      volumes: [{{name: keys, secret: {{secretName: keys}}}}]
---
apiVersion: v1
kind: Secret
metadata: {{name: keys}}
data: {{HF_TOKEN: {encoded}, VLLM_SETTING: {encoded}}}
stringData: {{OTHER: "{plain}", VLLM_OTHER: "{plain}"}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: settings}}
data:
  OPENAI_API_KEY: "{config}"
  VLLM_API_KEY: "{config}"
  VLLM_SERVER: "https://user:{url}@example.com/v1?api_key={config}"
"""

_COMPOSE = """\
services:
  chat:
    image: vllm/vllm-openai:v0.33.0
    command: --model acme/chat --dtype {dtype} {flag}
    environment:
      HF_TOKEN: "{variable}"
      VLLM_API_KEY: "{config}"
      VLLM_SERVER: "https://user:{url}@example.com/v1?api_key={config}"
    labels:
      acme.webhook-token: "{annotation}"
    shm_size: {dtype}
"""

_UNIT = """\
[Service]
Environment=HF_TOKEN={variable} VLLM_SERVER=https://user:{url}@example.com
Environment="VLLM_API_KEY={config}"
ExecStart=/usr/bin/vllm serve acme/chat --dtype {dtype} {flag}
"""

_FILES = {"llm.yaml": _MANIFEST, "compose.yaml": _COMPOSE, "llm.service": _UNIT}
_PLACES = ("variable", "url", "annotation", "config", "plain", "flag", "encoded")


def write(name: str, dtype: str, canaries: dict[str, str], spelling: str) -> str:
    """The file with a canary in every place that takes one."""
    flag = spelling.format(canaries["flag"])
    if name == "llm.yaml":
        flag = ", ".join(f'"{word}"' for word in flag.split(" "))
    fields = {
        **canaries,
        "flag": flag,
        "dtype": dtype,
        "encoded": base64.b64encode(canaries["encoded"].encode()).decode(),
        "applied": "'{}'",
    }
    text = _FILES[name].format(**fields)
    if name == "llm.yaml":
        import json

        import yaml

        applied = json.dumps(json.dumps(next(yaml.safe_load_all(text))))
        text = _FILES[name].format(**{**fields, "applied": applied})
    return text


SPELLINGS = ("--api-key {}", "--api-key={}", "--api_key {}", "--hf-token {}", "--ssl-keyfile-password {}")
BODY = st.text("abcdefghjkmnpqrstuvwxyz23456789ABCDEFGHJKLMNPQRSTUVWXYZ", min_size=14, max_size=24)
SHAPES = st.sampled_from(("{}", "sk-{}", "hf_{}", "Zx9-{}", "{}_q7"))


def commands(a: str, b: str, folder: Path) -> Iterator[tuple[str, ...]]:
    for form in ("text", "json", "sarif", "markdown", "github", "junit"):
        yield "diff", a, b, "--format", form, "--checks", "--verbose"
        yield "check", b, "--against", a, "--format", form, "--verbose"
    yield "facts", b
    yield "facts", b, "--format", "json"
    yield "init", a, "-o", "-"
    yield "lock", a, "-o", "-"
    yield "lock", a, "-o", str(folder / "askew.lock"), "--force"
    yield "check", b, "--against", str(folder / "askew.lock"), "--format", "json", "--verbose"


@pytest.mark.parametrize("name", _FILES)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(BODY, min_size=14, max_size=14, unique=True), SHAPES, st.sampled_from(SPELLINGS))
def test_no_canary_is_seen(
    askew: Askew, tmp_path: Path, name: str, bodies: list[str], shape: str, spelling: str
) -> None:
    sides = []
    for index, dtype in enumerate(("half", "bfloat16")):
        canaries = {p: shape.format(body) for p, body in zip(_PLACES, bodies[index * 7 :], strict=False)}
        (tmp_path / f"{index}").mkdir(exist_ok=True)
        path = tmp_path / f"{index}" / name
        path.write_text(write(name, dtype, canaries, spelling))
        sides.append(str(path))
    hidden = [*bodies, *(base64.b64encode(shape.format(body).encode()).decode() for body in bodies)]
    for words in commands(sides[0], sides[1], tmp_path):
        ran = askew(*words)
        assert ran.code in (0, 1, 2), ran.everything
        assert "internal error" not in ran.err
        written = (tmp_path / "askew.lock").read_text() if (tmp_path / "askew.lock").exists() else ""
        for canary in hidden:
            assert canary not in ran.out + ran.err + written, (words, canary)


def test_the_difference_of_two_secrets_is_still_found(askew: Askew, tmp_path: Path) -> None:
    for name, key in (("a", "first-secret-value"), ("b", "other-secret-value")):
        text = (INPUTS / "last-good.yaml").read_text()
        old = "            - name: HF_TOKEN\n"
        assert old in text
        (tmp_path / f"{name}.yaml").write_text(
            text.replace(old, f"            - {{name: VLLM_PLUGIN_TOKEN, value: {key}}}\n{old}")
        )
    ran = askew("diff", str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml"), "--fail-on", "info")
    assert "secret-value" not in ran.everything
    assert "redacted" in ran.out


def test_messages_hide_what_they_quote(askew: Askew, tmp_path: Path) -> None:
    for words in (
        ("diff", "cmd:vllm serve m --api-key sk-0123456789abcdefXYZ", "cmd:vllm serve m --dtype half"),
        ("check", "nope:https://user:Passw0rd-hidden@example.com/x"),
        ("check", "current.yaml", "--assume", "runtime.dtpye=sk-0123456789abcdefXYZ"),
        ("check", "--api-key=sk-0123456789abcdefXYZ", "current.yaml"),
        ("explain", "sk-0123456789abcdefXYZ"),
    ):
        ran = askew(*words)
        assert "0123456789abcdefXYZ" not in ran.everything and "Passw0rd" not in ran.everything, words
    path = tmp_path / "broken.yaml"
    path.write_text("kind: Deployment\nHF_TOKEN: 'abcdefhidden123\n  x: [\n")
    assert "abcdefhidden123" not in askew("check", str(path)).everything
