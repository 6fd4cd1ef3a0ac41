"""What one launch sets and the other does not, and what an engine has no setting for."""

from __future__ import annotations

from pathlib import Path

import pytest

from askew.app.pipeline import Options, diff

VLLM = "vllm serve m"
SGLANG = "python3 -m sglang.launch_server --model-path m"


def findings(reference: str, target: str) -> list[tuple[str, str, str]]:
    """Fact, confidence and the target's state of every finding between two command lines."""
    report = diff(f"cmd:{reference}", f"cmd:{target}", Options())
    assert not report.errors
    return [
        (f.rule, f.confidence, f.target.state) for w in report.workloads for f in w.findings if f.target is not None
    ]


@pytest.mark.parametrize(
    ("program", "argument", "fact"),
    [
        (VLLM, "--dtype bfloat16", "runtime.dtype"),
        (VLLM, "--max-model-len 4096", "runtime.max_model_len"),
        (VLLM, "--quantization awq", "runtime.quantization"),
        (VLLM, "--attention-backend FLASHINFER", "runtime.attention_backend"),
        (SGLANG, "--dtype bfloat16", "runtime.dtype"),
        (SGLANG, "--context-length 4096", "runtime.max_model_len"),
        (SGLANG, "--quantization awq", "runtime.quantization"),
        (SGLANG, "--attention-backend flashinfer", "runtime.attention_backend"),
    ],
)
def test_what_is_no_longer_set_is_a_possible_difference(program: str, argument: str, fact: str) -> None:
    """Nobody knows the default of an unknown release, but that it decides now is known."""
    assert findings(f"{program} {argument}", program) == [(fact, "possible", "unknown")]
    assert [rule for rule, *_ in findings(program, f"{program} {argument}")] == [fact]


def test_an_unknown_argument_that_is_gone_is_gone() -> None:
    for program in (VLLM, SGLANG):
        found = findings(f"{program} --no-such-thing 1", program)
        assert found == [("runtime.arguments.unmapped", "certain", "absent")]


def test_what_the_other_engine_has_no_setting_for_is_said() -> None:
    launcher = "text-generation-launcher --model-id a/b"
    with_limit = f"{launcher} --max-input-tokens 4096"
    assert ("runtime.max_input_tokens", "certain", "unsupported") in findings(with_limit, "vllm serve a/b")
    # Where nobody asked for it, an engine without the setting differs in nothing.
    assert "runtime.max_input_tokens" not in [rule for rule, *_ in findings(launcher, "vllm serve a/b")]


def test_two_command_lines_show_no_image() -> None:
    assert findings(VLLM, VLLM) == []


def test_a_value_from_another_secret_is_a_possible_difference() -> None:
    first, second = (f"{VLLM} --max-model-len sk-proj-{letter * 40}" for letter in "ab")
    assert findings(first, second) == [("runtime.max_model_len", "possible", "unknown")]
    assert findings(first, first) == []


BOTH = """\
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  volumes: [{name: v, configMap: {name: c}}]
  containers:
  - name: e
    image: %s
    volumeMounts: [{name: v, mountPath: /c}]
    command: [sh, -c]
    args:
    - |
      cat > /tmp/c.yaml <<END
      %s
      END
      %s --config %s
---
apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data:
  c.yaml: |
    %s
"""


@pytest.mark.parametrize(
    ("image", "program", "setting"),
    [
        ("vllm/vllm-openai:v0.10.0", VLLM, "max-model-len: 4096"),
        ("lmsysorg/sglang:v0.5.6", SGLANG, "context-length: 4096"),
    ],
)
@pytest.mark.parametrize(("path", "line"), [("/tmp/c.yaml", 14), ("/c/c.yaml", 23)])
def test_a_setting_in_a_config_file_stands_on_its_line(
    tmp_path: Path, image: str, program: str, setting: str, path: str, line: int
) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text(BOTH % (image, setting, program, path, setting))
    other = tmp_path / "other.yaml"
    other.write_text(file.read_text().replace("4096", "8192"))
    (found,) = (f for w in diff(str(file), str(other), Options()).workloads for f in w.findings)
    assert found.target is not None
    assert (found.rule, found.target.locations[0].line) == ("runtime.max_model_len", line)
