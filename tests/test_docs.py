"""What the pages show is true: every command line parses, every example that can run here runs, the README's
transcript is what ``askew demo`` prints."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from askew.app.demo import HERE
from askew.cli.arguments import COMMANDS, parser
from tools.generate import readme

ROOT = Path(__file__).resolve().parents[1]
FENCED = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
ENDS = frozenset(("|", ">", ">>", "&&", ";", "||", ">&2"))
MLMODEL = """\
artifact_path: model
flavors:
  python_function: {loader_module: mlflow.sklearn, python_version: 3.11.9}
  sklearn: {pickled_model: model.pkl, serialization_format: cloudpickle, sklearn_version: 1.2.2}
mlflow_version: 2.14.1
"""
IMAGE = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.5",
    "components": [{"type": "library", "name": "mlflow", "version": "2.14.1", "purl": "pkg:pypi/mlflow@2.14.1"}],
}


def commands(text: str) -> list[list[str]]:
    """The words after ``askew`` of every command line in a page: fenced lines and inline code."""
    lines = [line for language, block in FENCED.findall(text) if language != "text" for line in block.splitlines()]
    # `askew init` alone names the command; brackets say what may be left out.
    inline = [code for code in INLINE.findall(FENCED.sub("", text)) if re.match(r"askew \S+ ", code)]
    lines += [code.replace("[", "").replace("]", "") for code in inline]
    found = []
    for line in lines:
        line = re.sub(r"<\([^)]*\)", "current.yaml", line)  # what a process substitution stands for
        match = re.search(r"(?:^|[\s|])(askew (?:" + "|".join(COMMANDS) + r"|--).*)$", line)
        if match is None:
            continue
        words = shlex.split(match[1], comments=True)[1:]
        end = next((index for index, word in enumerate(words) if word in ENDS), len(words))
        found.append(words[:end])
    return found


PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHOWN = {
    f"{page.relative_to(ROOT)}: {' '.join(words)}": words
    for page in PAGES
    if page.name not in ("coverage.md", "cli.md")
    for words in commands(page.read_text(encoding="utf-8"))
}
# A name in capitals stands for the reader's own; a chart, a remote, a cluster and what was captured are not at hand.
AWAY = re.compile(
    r"[A-Z]+(=[A-Z]+)?…?|(helm|kustomize|git:origin|k8s:|dry-run:|https?:|s3:|bundle:|prometheus:|golden).*"
    r"|.*\+(https?:|log:|nvidia-smi:|golden|verified).*|\$.*"
)
RUNNABLE = {name: words for name, words in SHOWN.items() if not any(AWAY.fullmatch(word) for word in words)}


LLAMA = {
    "model_type": "llama", "torch_dtype": "bfloat16", "max_position_embeddings": 131072, "vocab_size": 128256,
    "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 8,
}  # fmt: skip


def test_the_pages_show_commands() -> None:
    assert {words[0] for words in SHOWN.values()} >= set(COMMANDS) - {"demo"}
    assert len(RUNNABLE) >= 20


@pytest.mark.parametrize("name", SHOWN)
def test_every_command_line_parses(name: str) -> None:
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
            parser().parse_args(SHOWN[name])
    except SystemExit as stop:
        assert stop.code == 0, errors.getvalue()


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a reader who has the bundled incident under the names that the pages use, and a git history."""
    home = tmp_path_factory.mktemp("reader")
    good, current = (Path(HERE, name) for name in ("last-good.yaml", "current.yaml"))
    for name in (
        "last-good.yaml",
        "deploy.yaml",
        "a.yaml",
        "deploy/llm.yaml",
        "production/llm.yaml",
        "manifests/a.yaml",
    ):
        (home / name).parent.mkdir(exist_ok=True)
        shutil.copy(good, home / name)
    model = home / "models" / "llama-3.1-8b" / "config.json"
    model.parent.mkdir(parents=True)
    model.write_text(json.dumps(LLAMA))
    shutil.copy(model, home / "config.json")
    for name in ("validated", "served"):
        shutil.copytree(model.parent, home / "models" / name)
    churn = home / "models" / "churn" / "MLmodel"
    churn.parent.mkdir()
    churn.write_text(MLMODEL, encoding="utf-8")
    (home / "freeze.txt").write_text("scikit-learn==1.5.2\n", encoding="utf-8")
    (home / "image.cdx.json").write_text(json.dumps(IMAGE), encoding="utf-8")
    (home / "staging").mkdir()
    staging = good.read_text(encoding="utf-8").replace("name: llm\n", "name: staging-llm\n")
    (home / "staging" / "llm.yaml").write_text(staging, encoding="utf-8")

    def git(*words: str) -> None:
        who = ["-c", "user.name=reader", "-c", "user.email=reader@example.com", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *who, *words], cwd=home, check=True, capture_output=True, timeout=60)

    git("init", "--quiet")
    git("add", ".")
    for message in ("first", "second", "third", "fourth"):
        git("commit", "--quiet", "--allow-empty", "-m", message)
    for name in ("current.yaml", "b.yaml", "deploy/llm.yaml"):
        shutil.copy(current, home / name)
    report = askew(home, ["check", "deploy/", "--format", "json"]).stdout
    (home / "report.json").write_text(report, encoding="utf-8")
    return home


def askew(home: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command as the reader would, with a manifest on standard input."""
    manifest = (home / "last-good.yaml").read_text(encoding="utf-8")
    command = [sys.executable, "-m", "askew", *words]
    return subprocess.run(command, cwd=home, input=manifest, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("name", RUNNABLE)
def test_every_example_runs(reader: Path, tmp_path: Path, name: str) -> None:
    home = tmp_path / "home"
    shutil.copytree(reader, home)  # init and lock write, and an earlier example must not change a later one
    done = askew(home, RUNNABLE[name])
    assert done.returncode in (0, 1), done.stderr
    assert done.stdout or done.stderr or "-o" in RUNNABLE[name]


def test_the_transcript_in_the_readme_is_what_the_demo_prints() -> None:
    assert readme.render() == readme.PATH.read_text(encoding="utf-8")


def test_the_readme_names_every_engine() -> None:
    from askew.app import registry

    text = readme.PATH.read_text(encoding="utf-8")
    assert not [name for name in registry.engine_names() if registry.recognition(name).title not in text]
