"""Whole commands on small inputs, as their users see them."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from askew.app import registry
from askew.contract.schema import lock_schema
from askew.facts.catalogue import FACTS
from askew.report.schema import documents
from tests.cli.conftest import INPUTS, Askew
from tests.cli.snapshot import same

DIFF = ("diff", "last-good.yaml", "current.yaml")
CHECK = ("check", "risky.yaml")
AGAINST = ("check", "current.yaml", "--against", "contracts/chat.modelspec.yaml")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("diff.txt", DIFF),
        ("diff-verbose.txt", (*DIFF, "--verbose")),
        ("diff-checks.txt", (*DIFF, "--checks")),
        ("diff-itself.txt", ("diff", "last-good.yaml", "last-good.yaml")),
        ("diff-fleet.txt", ("diff", "staging", "production")),
        ("diff-engines.txt", ("diff", "compose.yaml", "chat.service")),
        ("check.txt", CHECK),
        ("check-against.txt", AGAINST),
        ("facts.txt", ("facts", "current.yaml")),
        ("facts-compose.txt", ("facts", "compose.yaml")),
        ("facts-unit.txt", ("facts", "chat.service")),
        ("facts-command.txt", ("facts", "cmd:vllm serve Qwen/Qwen3-8B --max-model-len 8k", "--only", "runtime")),
        ("init.yaml", ("init", "last-good.yaml", "-o", "-")),
        ("lock.yaml", ("lock", "last-good.yaml", "-o", "-")),
        ("explain-fact.txt", ("explain", "runtime.dtype")),
        ("explain-check.txt", ("explain", "floating-image-tag")),
        ("explain-category.txt", ("explain", "serving")),
        ("demo.txt", ("demo",)),
    ],
)
def test_what_people_see(askew: Askew, name: str, words: tuple[str, ...]) -> None:
    same(askew(*words).everything, name)


@pytest.mark.parametrize("words", [DIFF, CHECK, ("facts", "current.yaml"), ("explain", "runtime.dtype")])
def test_a_narrow_terminal(askew: Askew, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    ran = askew(*words)
    same(ran.everything, f"{words[0]}-60.txt")
    long = [line for line in ran.out.splitlines() if len(line) > 60 and " " in line.strip()[:20]]
    # What must stay whole (a path, a command to copy) may stand out; prose may not.
    assert len(long) <= len(ran.out.splitlines()) / 10


def test_everything_has_a_line_and_an_explanation(askew: Askew) -> None:
    listed = askew("explain").out
    for name in (*FACTS, *registry.check_names()):
        assert f"  {name}  " in listed
        ran = askew("explain", name)
        assert (ran.code, ran.err) == (0, "") and name in ran.out.splitlines()[0]


@pytest.mark.parametrize("columns", ["1", "20", "40"])
def test_no_terminal_is_too_narrow(askew: Askew, monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    for words in (DIFF, CHECK, ("facts", "current.yaml"), ("explain",), ("demo",)):
        assert askew(*words).code in (0, 1)


@pytest.mark.parametrize("form", ["json", "sarif", "markdown", "github", "junit"])
@pytest.mark.parametrize("words", [DIFF, CHECK], ids=["diff", "check"])
def test_what_machines_read(askew: Askew, form: str, words: tuple[str, ...]) -> None:
    ran = askew(*words, "--format", form)
    assert ran.code == askew(*words).code
    assert ran.err == ""
    same(ran.out, f"{words[0]}.{'xml' if form == 'junit' else 'github.txt' if form == 'github' else form}")
    if form == "json":
        jsonschema.validate(json.loads(ran.out), json.loads(documents()["report.v1.json"]))
    elif form == "sarif":
        assert json.loads(ran.out)["version"] == "2.1.0"
    elif form == "junit":
        from xml.etree import ElementTree

        assert ElementTree.fromstring(ran.out).tag == "testsuites"


def test_facts_as_json(askew: Askew) -> None:
    ran = askew("facts", "current.yaml", "--format", "json")
    same(ran.out, "facts.json")
    jsonschema.validate(json.loads(ran.out), json.loads(documents()["facts.v1.json"]))


def test_a_lock_fits_its_schema(askew: Askew) -> None:
    jsonschema.validate(yaml.safe_load(askew("lock", "last-good.yaml", "-o", "-").out), json.loads(lock_schema()))


# Written down, then held to it


@pytest.mark.parametrize("source", ["last-good.yaml", "current.yaml", "compose.yaml", "chat.service"])
@pytest.mark.parametrize("command", ["init", "lock"])
def test_what_was_written_from_a_source_agrees_with_it(
    askew: Askew, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, source: str
) -> None:
    (tmp_path / source).write_text((INPUTS / source).read_text())
    monkeypatch.chdir(tmp_path)
    wrote = askew(command, source)
    assert wrote.code == 0 and "wrote" in wrote.err
    ran = askew("check", source, "--format", "json", "--only", "model", "--only", "runtime", "--only", "orchestration")
    report = json.loads(ran.out)
    differences = [f for w in report["workloads"] for f in w["findings"] if f["kind"] == "difference"]
    assert differences == []
    assert [s["role"] for s in report["sources"]] == ["reference", "target"]


@pytest.mark.parametrize("command", ["init", "lock"])
@pytest.mark.parametrize(
    ("old", "new", "fact"),
    [
        ("--dtype=bfloat16", "--dtype=float16", "runtime.dtype"),
        ("--max-model-len=32k", "--max-model-len=16k", "runtime.max_model_len"),
        ("--tensor-parallel-size=2", "--tensor-parallel-size=1", "runtime.tensor_parallel_size"),
        ("replicas: 2", "replicas: 3", "orchestration.replicas.min"),
        ("Qwen/Qwen3-8B", "Qwen/Qwen3-8B-Base", "model.source"),
        ("b968826d9c46dd6066d109eabc6255188de91218", "main", "model.revision"),
        ("NVIDIA-H100-80GB-HBM3", "NVIDIA-L4", "hardware.gpu.model"),
        ("v0.33.0", "v0.8.5", "runtime.engine.version"),
        ('NCCL_P2P_DISABLE\n              value: "0"', 'NCCL_P2P_DISABLE\n              value: "1"', "runtime.env"),
        ("memory: 64Gi, nvidia", "memory: 96Gi, nvidia", "orchestration.resources.memory.bytes"),
    ],
)
def test_any_change_breaks_it(
    askew: Askew, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, old: str, new: str, fact: str
) -> None:
    text = (INPUTS / "last-good.yaml").read_text()
    assert old in text
    monkeypatch.chdir(tmp_path)
    (tmp_path / "llm.yaml").write_text(text)
    assert askew(command, "llm.yaml").code == 0
    (tmp_path / "llm.yaml").write_text(text.replace(old, new))
    report = json.loads(askew("check", "llm.yaml", "--format", "json", "--fail-on", "info").out)
    found = [f for w in report["workloads"] for f in w["findings"] if f["kind"] == "difference"]
    about = [f for f in found if f["fact"] == fact]
    assert about, [f["summary"] for f in found]
    line = text.replace(old, new).splitlines()[about[0]["target"]["location"]["line"] - 1]
    assert new.split("\n")[-1].strip() in line or new.split(":")[-1].strip() in line


# Fleets


def test_one_skewed_workload_of_two_directories(askew: Askew) -> None:
    report = json.loads(askew("diff", "staging", "production", "--format", "json").out)
    found = [(w["id"], w["presence"], [f["rule"] for f in w["findings"]]) for w in report["workloads"]]
    assert found == [
        ("production/Deployment/embed", "both", ["runtime.max_model_len"]),
        ("production/Deployment/chat", "both", []),
        ("production/Deployment/code-blue", "both", []),
    ]


def test_two_directories_of_many_workloads_with_one_skewed(askew: Askew, tmp_path: Path) -> None:
    text = (INPUTS / "last-good.yaml").read_text()
    for side, namespace in (("a", "staging"), ("b", "prod")):
        (tmp_path / side).mkdir()
        for number in range(40):
            one = text.replace("chat", f"chat-{number}").replace("namespace: prod", f"namespace: {namespace}")
            if side == "b" and number == 17:
                one = one.replace("--gpu-memory-utilization=0.9", "--gpu-memory-utilization=0.6")
            (tmp_path / side / f"{number}.yaml").write_text(one)
    ran = askew("diff", str(tmp_path / "a"), str(tmp_path / "b"), "--format", "json", "--fail-on", "low")
    report = json.loads(ran.out)
    assert ran.code == 1
    assert len(report["workloads"]) == 40
    assert {w["presence"] for w in report["workloads"]} == {"both"}
    assert [(w["reference_id"], w["id"], f["rule"]) for w in report["workloads"] for f in w["findings"]] == [
        ("staging/Deployment/chat-17", "prod/Deployment/chat-17", "runtime.gpu_memory_utilization")
    ]


def test_a_map_decides(askew: Askew) -> None:
    words = ("diff", "staging", "production", "--format", "json")
    report = json.loads(askew(*words, "--map", "code=chat", "--map", "chat=code-blue").out)
    pairs = {w["reference_id"]: w["id"] for w in report["workloads"]}
    assert pairs["staging/Deployment/code"] == "production/Deployment/chat"
    assert pairs["staging/Deployment/chat"] == "production/Deployment/code-blue"


def test_a_workload_on_one_side_only(askew: Askew) -> None:
    for words, presence in ((("staging", "staging/chat.yaml"), "removed"), (("staging/chat.yaml", "staging"), "added")):
        ran = askew("diff", *words, "--format", "json")
        report = json.loads(ran.out)
        assert ran.code == 1
        alone = {w["id"]: [f["rule"] for f in w["findings"]] for w in report["workloads"] if w["presence"] == presence}
        assert alone == {
            "staging/Deployment/code": [f"workload-{presence}"],
            "staging/Deployment/embed": [f"workload-{presence}"],
        }


# Exit codes


def test_exit_codes(askew: Askew, monkeypatch: pytest.MonkeyPatch) -> None:
    assert askew("diff", "last-good.yaml", "last-good.yaml").code == 0
    assert askew(*DIFF).code == 1
    assert askew(*DIFF, "--fail-on", "critical").code == 0
    assert askew(*DIFF, "--ignore", "*").code == 0
    assert askew("diff", "last-good.yaml", "nowhere.yaml").code == 2
    assert askew("diff", "staging", "mixed").code == 2
    assert askew("diff", "last-good.yaml").code == 2
    assert askew("frobnicate").code == 2
    assert askew().code == 2
    assert askew("--help").code == 0
    assert askew("--version").code == 0
    assert askew("diff", "cmd:vllm serve m --dtype bfloat16", "cmd:vllm serve m --config x.yaml", "--strict").code in (
        1,
        3,
    )
    monkeypatch.setattr("askew.app.pipeline.diff", None)
    broken = askew(*DIFF)
    assert broken.code == 4
    assert "internal error" in broken.err and "ASKEW_DEBUG" in broken.err and "Traceback" not in broken.err


def test_incomplete_evidence_counts_only_when_it_is_asked_for(askew: Askew) -> None:
    words = ("diff", "last-good.yaml", "cmd:vllm serve Qwen/Qwen3-8B", "--only", "hardware")
    assert askew(*words).code == 0
    assert askew(*words, "--strict").code == 3


def test_a_baseline_hides_what_was_known(askew: Askew, tmp_path: Path) -> None:
    before = tmp_path / "before.json"
    askew(*DIFF, "--format", "json", "-o", str(before))
    assert askew(*DIFF, "--baseline", str(before)).code == 0


def test_help_of_every_command_shows_an_example(askew: Askew) -> None:
    for command in ("diff", "check", "facts", "init", "lock", "explain", "demo"):
        ran = askew(command, "--help")
        assert ran.code == 0
        assert f"askew {command}" in ran.out


# Terminals, pipes, standard input: real processes


def process(*words: str, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    return subprocess.run(
        [sys.executable, "-m", "askew", *words],
        cwd=INPUTS,
        input=stdin,
        capture_output=True,
        env={**kept, **environment},
        timeout=60,
        check=False,
    )


def test_standard_input_is_a_source() -> None:
    text = (INPUTS / "current.yaml").read_bytes()
    ran = process("diff", "last-good.yaml", "-", stdin=text)
    assert ran.returncode == 1
    assert b"runtime.dtype" in ran.stdout and b"-:46" in ran.stdout
    assert process("diff", "-", "-", stdin=text).returncode == 2


def test_standard_input_in_process(askew: Askew, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BytesIO((INPUTS / "last-good.yaml").read_bytes())

        def isatty(self) -> bool:
            return False

    monkeypatch.setattr(sys, "stdin", Stdin())
    assert askew("diff", "-", "last-good.yaml").code == 0


def test_colour_is_for_terminals_or_on_request() -> None:
    assert b"\x1b[" not in process(*DIFF).stdout
    assert b"\x1b[" in process(*DIFF, FORCE_COLOR="1").stdout
    assert b"\x1b[" not in process(*DIFF, FORCE_COLOR="1", NO_COLOR="1").stdout
    assert b"\x1b[" not in process(*DIFF, "--format", "json", FORCE_COLOR="1").stdout


@pytest.mark.parametrize("words", [DIFF, ("explain",), ("facts", "current.yaml", "--format", "json")])
def test_a_reader_that_leaves_is_no_error(words: tuple[str, ...]) -> None:
    command = subprocess.Popen(
        [sys.executable, "-m", "askew", *words], cwd=INPUTS, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert command.stdout is not None and command.stderr is not None
    command.stdout.close()
    err = command.stderr.read()
    command.stderr.close()
    assert command.wait(timeout=60) in (0, 1)
    assert err == b""


def test_no_terminal_no_locale() -> None:
    ran = process(*DIFF, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", TERM="dumb")
    assert ran.returncode == 1
    assert "bfloat16 → float16" in ran.stdout.decode("utf-8")
    assert ran.stderr == b""


def test_installed_commands() -> None:
    for name in ("askew", "kubectl-askew"):
        path = Path(sys.executable).parent / name
        if not path.exists():
            pytest.skip("the package is not installed in this environment")
        ran = subprocess.run([str(path), "--version"], capture_output=True, timeout=60, check=True)
        assert ran.stdout.startswith(b"askew ")
