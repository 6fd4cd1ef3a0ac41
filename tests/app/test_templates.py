"""The chat template that a launch names: which file it is, what it renders, and that it wins over the model's own."""

from __future__ import annotations

import json
from importlib.util import find_spec

import pytest

from askew.app.load import load
from askew.app.pipeline import Options, diff
from askew.evidence.redaction import Redactor
from tests.platforms.huggingface.tokenizers_made import CHATML, base, write

needs_jinja = pytest.mark.skipif(find_spec("jinja2") is None, reason="renders with Jinja, of the extra 'artifacts'")
DIGEST, BEHAVIOUR = "model.chat_template.digest", "model.chat_template.behaviour"
VLLM = ("vllm/vllm-openai:v0.11.0", "--model=/m", "--chat-template=/t/t.jinja")
SGLANG = ("lmsysorg/sglang:v0.5.3", "--model-path=/m", "--chat-template=/t/t.jinja")
TGI = ("ghcr.io/huggingface/text-generation-inference:3.3.5", "--model-id=/m", "--tokenizer-config-path=/t/t.jinja")
LLAMA = ("ghcr.io/ggml-org/llama.cpp:server-b6000", "-m", "/m.gguf", "--chat-template-file", "/t/t.jinja")
KIND = CHATML.replace("helpful", "kind")


def deployment(path, text, engine=VLLM, name="t.jinja"):
    """A Deployment and the ConfigMap with its template."""
    image, *args = engine
    if engine is SGLANG:
        args = ["python3", "-m", "sglang.launch_server", *args]
    container = {"name": "engine", "image": image, "args": args, "volumeMounts": [{"name": "t", "mountPath": "/t"}]}
    spec = {"containers": [container], "volumes": [{"name": "t", "configMap": {"name": "t"}}]}
    workload = {"kind": "Deployment", "metadata": {"name": "llm"}, "spec": {"template": {"spec": spec}}}
    kinds = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "t"}, "data": {name: text}},
        {"apiVersion": "apps/v1", **workload},
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n---\n".join(json.dumps(kind) for kind in kinds))
    return str(path)


def facts(source):
    side = load(source, "target", Redactor())
    assert not side.errors, side.errors
    return side.snapshots[0].facts


def findings(one, two):
    return {finding.rule: finding for finding in diff(one, two, Options()).workloads[0].findings}


@needs_jinja
@pytest.mark.parametrize("engine", [VLLM, SGLANG, LLAMA])
def test_the_template_of_a_config_map_is_rendered(tmp_path, engine):
    model = write(tmp_path / "m", base())
    one, two = (deployment(tmp_path / f"{n}.yaml", text, engine) for n, text in enumerate((CHATML, KIND)))
    found = findings(f"{one}+hf:{model}", f"{two}+hf:{model}")
    assert "You are kind." in found[BEHAVIOUR].impact and DIGEST in found
    place = found[BEHAVIOUR].target.locations[0]
    assert place.source == two and "t.jinja" in place.path and place.object.endswith("ConfigMap t")
    assert not findings(f"{one}+hf:{model}", f"{one}+hf:{model}")


@needs_jinja
def test_it_wins_over_the_models_own_and_takes_its_special_tokens(tmp_path):
    model = write(tmp_path / "m", base())
    found = facts(f"{deployment(tmp_path / 'a.yaml', KIND)}+hf:{model}")
    assert found[BEHAVIOUR].origin == "config-file"
    assert found["model.chat_template.emits_bos"].value is True
    assert found["model.chat_template.generation_prompt"].value == "<|im_start|>assistant\n"
    assert '"<s><|im_start|>system\\nYou are kind.' in found[BEHAVIOUR].because[0]
    assert any("wins over the model's own" in reason for reason in found[DIGEST].because)


@needs_jinja
def test_the_models_own_template_named_by_the_launch_behaves_alike(tmp_path):
    model = write(tmp_path / "m", base())
    named = facts(f"{deployment(tmp_path / 'a.yaml', CHATML)}+hf:{model}")
    own = facts(f"hf:{model}")
    for fact in (DIGEST, BEHAVIOUR):
        assert named[fact].value == own[fact].value


def test_without_the_tokenizer_special_tokens_are_not_guessed(tmp_path):
    found = facts(deployment(tmp_path / "a.yaml", CHATML))
    assert found[DIGEST].state == "known"
    assert found[BEHAVIOUR].state == "unknown" and "+hf:DIR" in found[BEHAVIOUR].observe_with


@needs_jinja
def test_without_the_tokenizer_a_template_that_needs_none_is_rendered(tmp_path):
    plain = CHATML.replace("{{ bos_token }}", "")
    assert facts(deployment(tmp_path / "a.yaml", plain))[BEHAVIOUR].state == "known"


@pytest.mark.parametrize(
    ("engine", "text", "name"),
    [
        (VLLM, "x{{ messages }}", "other.jinja"),
        (TGI, "x{{ messages }}", "t.jinja"),
        (TGI, "[" * 100_000, "t.jinja"),
    ],
)
def test_a_template_that_no_source_shows_changes_nothing(tmp_path, engine, text, name):
    model = write(tmp_path / "m", base())
    found = facts(f"{deployment(tmp_path / 'a.yaml', text, engine, name)}+hf:{model}")
    assert found[DIGEST].origin == "model"


def test_what_was_not_found_out_of_it_is_not_told_of_the_models_own(tmp_path, monkeypatch):
    model = write(tmp_path / "m", base())
    text = "{% raw %}{{ bos_token }}{% endraw %}{{ messages }}"
    found = facts(f"{deployment(tmp_path / 'a.yaml', text)}+hf:{model}")
    own = [key for key, one in found.items() if key.startswith("model.chat_template.") and one.origin == "model"]
    assert not [key for key in own if found[key].state == "known"]


@needs_jinja
def test_tgi_takes_the_template_of_a_configuration(tmp_path):
    model = write(tmp_path / "m", base())
    text = json.dumps({"chat_template": KIND})
    found = facts(f"{deployment(tmp_path / 'a.yaml', text, TGI)}+hf:{model}")
    assert "You are kind." in found[BEHAVIOUR].because[0]
    assert any("unless the model has a chat_template.json" in reason for reason in found[DIGEST].because)


@needs_jinja
def test_sglang_reads_a_written_line_end_as_one(tmp_path):
    one = facts(deployment(tmp_path / "a.yaml", "a\\nb{{ messages | length }}", SGLANG))
    assert 'one question → "a\\nb1"' in one[BEHAVIOUR].because


@needs_jinja
def test_a_template_in_the_argument_itself():
    one = facts("cmd:vllm serve m --chat-template '{% for m in messages %}[{{ m.role }}]{% endfor %}'")
    assert 'one question → "[user]"' in one[BEHAVIOUR].because
    assert one[DIGEST].locations[0].source.startswith("cmd:")


@needs_jinja
@pytest.mark.parametrize(
    "text",
    [
        "{% for a in range(10**9) %}{% for b in range(10**9) %}{% endfor %}{% endfor %}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ 'x' * 10**10 }}",
    ],
)
def test_hostile_templates_end_and_reach_nothing(tmp_path, monkeypatch, text):
    monkeypatch.setattr("askew.collectors.hf.tokens.SECONDS", 3.0)
    one = facts(deployment(tmp_path / "a.yaml", text))[BEHAVIOUR]
    assert one.state == "unknown" or all("no prompt" in line for line in one.because)


def test_a_secret_in_a_template_is_not_shown(tmp_path):
    secret = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCD"
    assert secret not in str(facts(deployment(tmp_path / "a.yaml", f"{secret}{{{{ messages }}}}")))


COMPOSE = """\
services:
  llm:
    image: vllm/vllm-openai:v0.11.0
    command: ["--model=/m", "--chat-template=/t/t.jinja"]
    volumes: ["./t.jinja:/t/t.jinja:ro"]
"""


@needs_jinja
@pytest.mark.parametrize("joined", [False, True])
def test_the_template_beside_a_compose_file_that_mounts_it(tmp_path, joined):
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    (tmp_path / "t.jinja").write_text("{% for m in messages %}[{{ m.role }}]{% endfor %}")
    (tmp_path / "deploy.jinja").write_text("[Service]\nExecStart=vllm serve {{ host }}\n")
    found = facts(f"{tmp_path}/compose.yaml+{tmp_path}/t.jinja" if joined else str(tmp_path))
    assert 'one question → "[user]"' in found[BEHAVIOUR].because
    assert found[BEHAVIOUR].locations[0].source == str(tmp_path / "t.jinja")


def test_templates_of_other_things_are_no_source(tmp_path):
    (tmp_path / "deploy.jinja").write_text("[Service]\nExecStart=vllm serve {{ host }}\n")
    side = load(str(tmp_path), "target", Redactor())
    assert not side.snapshots
