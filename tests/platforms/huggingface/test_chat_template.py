"""Chat templates: which file wins, what its text tells, what it renders, and hostile ones."""

from __future__ import annotations

import copy
import json
import os
import sys
from importlib.util import find_spec

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askew.app.load import load
from askew.app.pipeline import Options, diff
from askew.collectors.hf import tokens
from askew.compare.compare import compare
from askew.evidence.redaction import Redactor
from askew.platforms.huggingface.chat_text import canonical, pieces, written
from tests.platforms.huggingface.tokenizers_made import CHATML, base, write

needs_jinja = pytest.mark.skipif(find_spec("jinja2") is None, reason="renders with Jinja, of the extra 'artifacts'")
C = "tokenizer_config.json"


def snapshot(folder, files):
    side = load(f"hf:{write(folder, files)}", "target", Redactor())
    assert not side.errors, side.errors
    return side.snapshots[0]


def facts(folder, files):
    return snapshot(folder, files).facts


def with_template(text):
    """A directory with this template, and no tokenizer to be tried."""
    files = copy.deepcopy(base())
    del files["tokenizer.json"]
    files[C]["chat_template"] = text
    return files


# Which file wins


@pytest.mark.parametrize(
    ("files", "wins"),
    [
        ((C,), C),
        (("chat_template.jinja", C), "chat_template.jinja"),
        (("chat_template.json", C), C),
        (("chat_template.json",), "chat_template.json"),
        (("chat_template.json", C, "preprocessor_config.json"), "chat_template.json"),
        (("chat_template.jinja", C, "preprocessor_config.json"), "chat_template.jinja"),
        (("chat_template.json", "chat_template.jinja", "processor_config.json"), "chat_template.json"),
        (("chat_template.json", "chat_template.jinja"), "chat_template.jinja"),
    ],
)
def test_the_file_that_wins(tmp_path, files, wins):
    held = with_template("of tokenizer_config.json {{ messages }}")
    if C not in files:
        del held[C]["chat_template"]
    for name in files:
        text = f"of {name} {{{{ messages }}}}"
        if name != C:
            held[name] = {"chat_template": text} if name.endswith("template.json") else text if "jinja" in name else {}
    one = facts(tmp_path, held)["model.chat_template.digest"]
    assert one.locations[0].source.endswith(f"/{wins}")
    assert f"the template of {wins}" in one.because
    assert any(f"of {wins}" in reason and "→" in reason for reason in one.because)


def test_another_text_in_a_file_that_loses_is_told(tmp_path):
    files = {**with_template("old {{ messages }}"), "chat_template.jinja": "new {{ messages }}"}
    because = facts(tmp_path, files)["model.chat_template.digest"].because
    assert f"{C} holds another one, which transformers before 4.47.0 takes" in because
    files["chat_template.jinja"] = "old {{  messages }}\n"
    because = facts(tmp_path, files)["model.chat_template.digest"].because
    assert not any("holds another one" in reason for reason in because)


def test_named_templates_in_files_and_in_a_list_are_the_same(tmp_path):
    listed = with_template([{"name": "default", "template": "D{{ x }}"}, {"name": "tool_use", "template": "T{{ x }}"}])
    apart = with_template(None)
    apart.update({"chat_template.jinja": "D{{ x }}", "additional_chat_templates/tool_use.jinja": "T{{ x }}\n"})
    one, two = snapshot(tmp_path / "a", listed), snapshot(tmp_path / "b", apart)
    assert not compare(one, two).differences
    assert one.facts["model.chat_template.digest"].state == "known"


def test_a_directory_without_a_template_says_so(tmp_path):
    one = facts(tmp_path, with_template(None))["model.chat_template.digest"]
    assert one.state == "absent" and one.because == ("no file of the directory holds a chat template",)


def test_the_configuration_alone_says_what_stands_in_it(tmp_path):
    write(tmp_path, with_template(CHATML))
    side = load(str(tmp_path / C), "target", Redactor())
    found = side.snapshots[0].facts
    assert found["model.chat_template.digest"].state == "known"
    assert found["model.chat_template.emits_bos"].value is True
    assert "model.chat_template.behaviour" not in found


def test_where_both_take_another_template_the_models_own_decides_nothing(tmp_path):
    write(tmp_path / "a", with_template(CHATML))
    write(tmp_path / "b", with_template(CHATML.replace("helpful", "kind")))
    launch = "cmd:vllm serve org/m --chat-template /t.jinja"
    told = [
        {f.rule for f in diff(f"hf:{tmp_path}/a+{one}", f"hf:{tmp_path}/b+{one}", Options()).workloads[0].findings}
        for one in (launch, "cmd:vllm serve org/m")
    ]
    assert not any("chat_template" in rule for rule in told[0])
    assert "model.chat_template.digest" in told[1]


# What it renders


@needs_jinja
def test_what_a_template_does(tmp_path):
    found = facts(tmp_path, with_template(CHATML))
    assert found["model.chat_template.emits_bos"].value is True
    assert found["model.chat_template.emits_bos"].confidence == "certain"
    assert found["model.chat_template.opens_reasoning"].value is False
    assert found["model.chat_template.uses_clock"].value is False
    assert found["model.chat_template.generation_prompt"].value == "<|im_start|>assistant\n"
    told = dict(reason.split(" → ", 1) for reason in found["model.chat_template.behaviour"].because)
    assert json.loads(told["system"]) == (
        "<s><|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
    )
    assert told["tools"].startswith('"<s><tools>[{') and "Zürich" in told["tools"]


@needs_jinja
def test_a_template_without_a_generation_prompt_is_told_apart(tmp_path):
    text = CHATML.replace("{{- '<|im_start|>assistant\\n' }}", "")
    one = facts(tmp_path, with_template(text))["model.chat_template.generation_prompt"]
    assert one.state == "absent" and "<|im_start|>assistant" in one.because[0]


@needs_jinja
def test_a_template_that_needs_no_generation_prompt_lacks_none(tmp_path):
    text = (
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'assistant' %}{{ ' ' + m.content + eos_token }}"
        "{% else %}{{ '[INST] ' + m.content + ' [/INST]' }}{% endif %}{% endfor %}"
    )
    one = facts(tmp_path, with_template(text))["model.chat_template.generation_prompt"]
    assert (one.state, one.value) == ("known", "")


@needs_jinja
def test_the_rendered_difference_is_shown(tmp_path):
    write(tmp_path / "a", with_template(CHATML))
    write(tmp_path / "b", with_template(CHATML.replace("+ '<|im_end|>\\n'", "+ '<|im_end|>'")))
    report = diff(f"hf:{tmp_path}/a", f"hf:{tmp_path}/b", Options())
    (finding,) = (f for f in report.workloads[0].findings if f.rule == "model.chat_template.behaviour")
    assert "One question: " in finding.impact and "became" in finding.impact
    told = [side.because for side in (finding.reference, finding.target) if side is not None]
    assert told[0][0] != told[1][0]
    assert all(len(reason) < 300 for reason in (*told[0], *told[1]))


@needs_jinja
def test_the_date_does_not_make_a_difference_from_day_to_day(tmp_path):
    files = with_template("{{ strftime_now('%d %B %Y') }}{{ messages | length }}")
    one, two = facts(tmp_path / "a", files), facts(tmp_path / "b", files)
    assert one["model.chat_template.behaviour"].value == two["model.chat_template.behaviour"].value
    assert one["model.chat_template.uses_clock"].value is True
    assert "26 July 2024" in one["model.chat_template.behaviour"].because[0]


def test_a_clock_in_a_comment_or_a_text_is_none(tmp_path):
    text = "{# strftime_now('%d') #}strftime_now( {{ 'strftime_now (' }}{{ messages }}"
    assert facts(tmp_path, with_template(text))["model.chat_template.uses_clock"].value is False


@needs_jinja
def test_a_block_of_generation_prints_its_body(tmp_path):
    text = "{% for m in messages %}{% generation %}{{ m.role }}{% endgeneration %}{% endfor %}"
    told = facts(tmp_path, with_template(text))["model.chat_template.behaviour"].because
    assert 'one question → "user"' in told


# The canonical text


FRAGMENTS = st.sampled_from(
    [
        " ",
        "\n",
        "\n\n",
        "a",
        "\t",
        "\r\n",
        "{% if x %}",
        "{%- if x %}",
        "{% if x -%}",
        "{%+ if x +%}",
        "{% endif %}",
        "{%- endif -%}",
        "{%endif%}",
        "{# c #}",
        "{#- c -#}",
        "{# c +#}",
        "{{ x }}",
        "{{- x -}}",
        "{{x}}",
        "{{ '}}' }}",
        '{{ "%}" ~ x }}',
        "{{ {'a': {'b': 1}}['a']['b'] }}",
        "{{ -1 }}",
        "{{ 1-x|length }}",
        "}",
        "%}",
        "{% set y = [1] %}",
        "{% raw %}{{ {% endraw %}",
    ]
)


@needs_jinja
@settings(max_examples=400)
@given(st.lists(FRAGMENTS, max_size=9).map("".join))
def test_the_canonical_text_renders_as_the_template_does(template):
    import jinja2

    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    try:
        wanted = environment.from_string(template + "E").render(x="v")
    except jinja2.TemplateSyntaxError:
        return
    try:
        assert environment.from_string(written(pieces(template + "E"))).render(x="v") == wanted
    except ValueError:
        assert "raw" in template, "only raw blocks are not followed"


@given(st.text(max_size=60))
def test_any_text_has_a_canonical_form_that_stays(text):
    once = canonical(text)
    assert isinstance(once, str)


def test_a_long_template_is_read_in_time():
    assert canonical("{{ x }}{# c #}{% if y %}\n" * 40_000)
    assert canonical("{{ '" + "x" * 1_000_000) and canonical("{%" * 300_000) and canonical("{#" * 300_000)


# Hostile templates


@needs_jinja
@pytest.mark.parametrize(
    "text",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% if a < b %}{% endif %}{% endfor %}{% endfor %}",
        "{{ 'a' * 10 ** 11 }}",
        "{% set ns = namespace(t='a') %}{% for i in range(60) %}{% set ns.t = ns.t + ns.t %}{% endfor %}{{ ns.t }}",
        "{{ 9 ** (9 ** 9) }}",
        "{{ 'a'.ljust(10 ** 11) }}",
        "{{ '%99999999999d' % 1 }}",
    ],
)
def test_a_template_that_wants_too_much_is_cut_off(tmp_path, monkeypatch, text):
    monkeypatch.setattr(tokens, "SECONDS", 3.0)
    one = facts(tmp_path, with_template(text))["model.chat_template.behaviour"]
    refused = one.state == "known" and all("no prompt" in reason for reason in one.because)
    assert refused or (one.state == "unknown" and one.reason.startswith("the template was not rendered"))


@needs_jinja
def test_a_prompt_is_cut_at_its_limit(tmp_path):
    text = "{% for a in range(99999) %}{{ 'x' * 9 }}{% endfor %}"
    one = facts(tmp_path, with_template(text))["model.chat_template.behaviour"]
    assert one.state == "known" and all(len(reason) < 3000 for reason in one.because)


@needs_jinja
@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ cycler.__init__.__globals__.os.system('touch PWNED') }}",
        "{{ lipsum.__globals__['os'].popen('touch PWNED').read() }}",
        "{{ self.__init__.__globals__.__builtins__.open('PWNED', 'w') }}",
        "{% set x = messages.append(1) %}{{ x }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}{{ os }}",
        "{{ raise_exception.__globals__ }}",
        "{{ strftime_now.__closure__ }}",
        "{{ '{0.__class__.__init__.__globals__}'.format(messages) }}",
        "{{ tojson.__globals__ }}{{ ('x'|attr('__class__')) }}{{ ''|attr('format_map') }}",
    ],
)
def test_no_template_reaches_out_of_its_sandbox(tmp_path, text, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one = facts(tmp_path / "m", with_template(text))["model.chat_template.behaviour"]
    told = " ".join(one.because)
    assert "root:" not in told and "subclasses" not in told and "site-packages" not in told
    assert not any(name == "PWNED" for _, _, names in os.walk(tmp_path) for name in names)


@needs_jinja
def test_nothing_that_lies_in_the_directory_is_imported(tmp_path, monkeypatch):
    mark = tmp_path / "executed"
    files = {**with_template(CHATML)}
    for name in ("jinja2.py", "tokenizers.py", "json.py", "sitecustomize.py", "usercustomize.py", "tokenizer.py"):
        files[name] = f"open({str(mark)!r}, 'w')"
    write(tmp_path / "m", files)
    monkeypatch.chdir(tmp_path / "m")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "m"))
    assert facts(tmp_path / "m", files)["model.chat_template.behaviour"].state == "known"
    assert not mark.exists() and "jinja2" not in str(sys.path)


@needs_jinja
def test_a_template_that_is_no_jinja_is_told_with_its_line(tmp_path):
    one = facts(tmp_path, with_template("a\n{% if %}"))["model.chat_template.behaviour"]
    assert one.state == "unknown" and "not Jinja: line 2" in one.reason


def test_a_secret_in_a_template_does_not_get_out(tmp_path):
    secret = "hf_" + "abcdefghijklmnopqrstuvwxyz0123456789"
    files = {**with_template(None), "chat_template.jinja": f"{{{{ messages }}}} {secret}"}
    side = load(f"hf:{write(tmp_path, files)}", "target", Redactor())
    assert secret not in repr(side)
