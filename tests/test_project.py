"""The project itself: what is published, what it needs, what it may never do, and that its papers are in order."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import askew

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "askew"
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
MODULES = sorted(PACKAGE.rglob("*.py"))
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("*.md"))]
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;]+)", re.MULTILINE)


def pins(lock: Path) -> dict[str, str]:
    """Canonical name → pinned version."""
    return {canonicalize_name(name): version for name, version in PIN.findall(lock.read_text(encoding="utf-8"))}


def relative(path: Path) -> str:
    """A test id that reads like the path."""
    return path.relative_to(ROOT).as_posix()


# What is published


def test_the_version_is_said_once_and_the_changelog_has_it() -> None:
    assert PYPROJECT["project"]["dynamic"] == ["version"]
    assert "version" not in PYPROJECT["project"]
    assert re.search(rf"^## {re.escape(askew.__version__)}\b", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)


def test_the_licence_is_the_whole_apache_licence() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text and "END OF TERMS AND CONDITIONS" in text
    assert PYPROJECT["project"]["license"] == "Apache-2.0"


def test_the_wheel_carries_all_it_needs_and_stays_small(tmp_path: Path) -> None:
    build = "import sys, hatchling.build; print(hatchling.build.build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", build, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.startswith(f"askew-{askew.__version__}-py3-none-any")
    assert wheel.stat().st_size < 8_000_000
    names = set(zipfile.ZipFile(wheel).namelist())
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "src/askew"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split("\0")
    missing = {name.removeprefix("src/") for name in tracked if name and (ROOT / name).exists()} - names
    assert not missing
    assert "askew/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any(name.startswith(("tests/", "docs/")) for name in names)


def test_both_commands_start_the_same_program() -> None:
    assert PYPROJECT["project"]["scripts"] == {
        "askew": "askew.cli.main:main",
        "kubectl-askew": "askew.cli.main:main",
    }


# What it needs


@pytest.mark.parametrize("lock", LOCKS, ids=relative)
def test_requirements_are_pinned_hashed_and_name_no_host(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host|^\s*-[if] | @ |#", text, re.MULTILINE)
    entries = re.split(r"\n(?=\S)", text.strip())
    assert entries
    for entry in entries:
        assert PIN.match(entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry


def test_the_lock_files_agree_with_each_other_and_with_pyproject() -> None:
    runtime, dev = pins(ROOT / "requirements/runtime.txt"), pins(ROOT / "requirements/dev.txt")
    assert runtime.items() <= dev.items()
    for line in [*PYPROJECT["project"]["dependencies"], *PYPROJECT["build-system"]["requires"]]:
        requirement = Requirement(line)
        assert requirement.specifier.contains(runtime[canonicalize_name(requirement.name)]), line
    for source in (ROOT / "requirements").glob("*.in"):
        locked = pins(ROOT / "requirements/runtime.txt" if source.stem == "build" else source.with_suffix(".txt"))
        wanted = [line for line in source.read_text("utf-8").splitlines() if line and not line.startswith("#")]
        assert {canonicalize_name(Requirement(line).name) for line in wanted} <= locked.keys(), source.name


# What starting costs

# Each costs milliseconds of every start and serves no common path. Whoever needs one imports it where it is needed.
HEAVY = {
    "asyncio",
    "concurrent.futures",
    "dataclasses",
    "email",
    "importlib.metadata",
    "inspect",
    "json",
    "logging",
    "packaging",
    "pathlib",
    "subprocess",
    "tomllib",
    "unittest",
    "urllib.request",
}
MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: llm, namespace: prod}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: llm}}}}
  template:
    metadata: {{labels: {{app: llm}}}}
    spec:
      containers:
        - name: vllm
          image: vllm/vllm-openai:v0.8.5
          args: ["--model", "org/name", "--dtype", "{dtype}"]
          resources: {{limits: {{nvidia.com/gpu: "1"}}}}
"""


def imported(code: str, *arguments: str, cwd: Path) -> set[str]:
    """Modules that a fresh interpreter imports to run this, beyond those of an empty program."""

    def run(program: str) -> set[str]:
        done = subprocess.run(
            [sys.executable, "-I", "-X", "importtime", "-c", program, *arguments],
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        lines = (line.rpartition("|") for line in done.stderr.splitlines() if line.startswith("import time:"))
        return {name.strip() for _, _, name in lines}

    return run(code) - run("pass")


RUN = "import sys; from askew.cli.main import main; sys.exit(main())"
# Users have no typing_extensions, which development tools install; msgspec imports it where it is. Here it cannot be.
AS_INSTALLED = "import sys; sys.modules['typing_extensions'] = None\n" + RUN


def test_the_version_needs_no_heavy_module(tmp_path: Path) -> None:
    seen = imported(AS_INSTALLED, "--version", cwd=tmp_path)
    assert "askew.cli.main" in seen
    assert not seen & (HEAVY | {"yaml", "msgspec"})


def test_a_diff_of_two_files_needs_no_heavy_module(tmp_path: Path) -> None:
    for name, dtype in (("old.yaml", "bfloat16"), ("new.yaml", "float16")):
        (tmp_path / name).write_text(MANIFEST.format(dtype=dtype), encoding="utf-8")
    seen = imported(AS_INSTALLED, "diff", "old.yaml", "new.yaml", cwd=tmp_path)
    assert "askew.compare" in seen
    assert not seen & HEAVY
    engines = {name.split(".")[2] for name in seen if name.startswith("askew.engines.") and name.count(".") > 2}
    assert engines == {"vllm"}, "a launch loads its own engine and no other"


# What it may never do

FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "breakpoint"}
FORBIDDEN_ATTRIBUTES = {
    ("os", "system"),
    ("os", "popen"),
    ("yaml", "load"),
    ("yaml", "load_all"),
    ("yaml", "full_load"),
    ("yaml", "unsafe_load"),
}
# Only collectors reach beyond this process.
OUTSIDE = {"subprocess", "socket", "ssl", "http", "urllib.request", "ftplib", "smtplib"}


@pytest.mark.parametrize("module", MODULES, ids=relative)
def test_nothing_inspected_is_ever_run(module: Path) -> None:
    collector = module.is_relative_to(PACKAGE / "collectors")
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"), module.name)):
        where = f"{relative(module)}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                assert node.func.id not in FORBIDDEN_CALLS, where
            elif isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
                assert (node.func.value.id, node.func.attr) not in FORBIDDEN_ATTRIBUTES, where
            shell = [word for word in node.keywords if word.arg == "shell"]
            assert not shell, f"{where}: no command goes through a shell"
        names = []
        if isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{name.name}" for name in node.names)]
        if not collector:
            assert not OUTSIDE & set(names), f"{where}: only askew.collectors may reach outside"


# What is written about it


def nav(entries: list[Any]) -> list[str]:
    """Paths of all pages in a navigation, in order."""
    pages: list[str] = []
    for entry in entries:
        for page in entry.values() if isinstance(entry, dict) else [entry]:
            pages += nav(page) if isinstance(page, list) else [page]
    return pages


def test_every_page_is_in_the_navigation_and_exists() -> None:
    pages = nav(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])
    assert len(pages) == len(set(pages))
    written = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    generated_folders = {page.rpartition("/")[0] for page in pages if "/" in page}
    assert set(pages) - written == set()
    assert {page for page in written - set(pages) if page.rpartition("/")[0] not in generated_folders} == set()


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:|#", target):
            assert (page.parent / target.partition("#")[0]).exists(), target


# How others use it


def test_the_hook_and_the_action_use_options_that_exist() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert hook["entry"].split()[0] in PYPROJECT["project"]["scripts"]
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    scripts = "\n".join(step.get("run", "") for step in action["runs"]["steps"])
    assert "${{" not in scripts, "an input inside a script is read as shell"
    arguments = scripts.partition("arguments=")[2]
    options = set(re.findall(r"(?<=[\s(])--[a-z-]+", arguments)) | {
        word for word in hook["entry"].split() if word.startswith("--")
    }
    assert options
    shown = subprocess.run(
        [sys.executable, "-c", RUN, "check", "--help"], capture_output=True, text=True, timeout=60, check=False
    ).stdout
    assert not {option for option in options if option not in shown}
