"""Engines, checks and collectors of other packages come in by entry points, and only where ``askew.toml`` asks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "tiny"
version = "1.0"

[project.entry-points."askew.engines"]
tiny = "tiny"

[project.entry-points."askew.checks"]
tiny-rule = "tiny"

[project.entry-points."askew.collectors"]
tiny = "tiny"

[tool.hatch.build.targets.wheel]
include = ["tiny.py"]
"""
MODULE = '''\
"""Tiny models are too small

## What it finds

Every deployment of tiny.
"""

from askew.checks.interface import Check, found
from askew.collectors.interface import Evidence, Text
from askew.engines.interface import Reading, Recognition
from askew.evidence.location import Location
from askew.resolve.observation import Observation

RECOGNITION = Recognition(
    name="tiny", title="Tiny", module="tiny", hints=("tiny-serve",), programs=("tiny-serve(?= |$)",), images=()
)


class _Engine:
    name = "tiny"
    unsupported = {}

    def read(self, launch):
        place = launch.argv[1].location
        value = launch.argv[1].text
        return Reading(observations=(Observation(fact="model.id", value=value, origin="explicit", locations=(place,)),))

    def flag_for(self, fact, version):
        return "MODEL" if fact == "model.id" else None


class _Collector:
    name = "tiny"
    schemes = ("tiny",)
    capabilities = ()

    def collect(self, request, redactor):
        return Evidence(uri=request.uri, texts=(Text(source="cmd:tiny", text="tiny-serve " + request.target),))


ENGINE, COLLECTOR = _Engine(), _Collector()


def run(subject):
    if subject.snapshot.engine is not None and subject.snapshot.engine.name == "tiny":
        yield found(CHECK, subject, summary="a tiny model", impact="It answers little.")


CHECK = Check(
    id="tiny-rule",
    title="Tiny models are too small",
    category="model",
    severity="high",
    confidence="certain",
    facts=("model.id",),
    run=run,
    cases=(),
)
'''


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which the distribution ``tiny`` is installed."""
    project, site = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("site")
    (project / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    (project / "tiny.py").write_text(MODULE, encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    words = ["--no-deps", "--no-build-isolation", "--target", str(site), str(project)]
    subprocess.run([*pip, *words], check=True, timeout=120)
    return site


def askew(site: Path, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command where ``tiny`` is installed."""
    return subprocess.run(
        [sys.executable, "-m", "askew", *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(site), *filter(None, sys.path)))},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_plug_ins_are_read_where_the_configuration_asks(site: Path, tmp_path: Path) -> None:
    (tmp_path / "askew.toml").write_text("plugins = true\n", encoding="utf-8")
    done = askew(site, tmp_path, "check", "tiny:org/model")
    assert done.returncode == 1, done.stderr
    assert "a tiny model" in done.stdout
    assert "org/model" in askew(site, tmp_path, "facts", "tiny:org/model", "--only", "model").stdout
    assert "Tiny models are too small" in askew(site, tmp_path, "explain", "tiny-rule").stdout


def test_and_nowhere_else(site: Path, tmp_path: Path) -> None:
    done = askew(site, tmp_path, "check", "tiny:org/model")
    assert done.returncode == 2
    assert "no collector for 'tiny:'" in done.stderr
    assert askew(site, tmp_path, "explain", "tiny-rule").returncode == 2


def test_a_name_that_is_taken_is_an_error(site: Path, tmp_path: Path) -> None:
    (tmp_path / "askew.toml").write_text("plugins = true\n", encoding="utf-8")
    other = tmp_path / "other" / "second-1.0.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: second\nVersion: 1.0\n", encoding="utf-8")
    (other / "entry_points.txt").write_text("[askew.checks]\ntiny-rule = second\n", encoding="utf-8")
    done = askew(Path(os.pathsep.join((str(site), str(other.parent)))), tmp_path, "check", "cmd:vllm serve m")
    assert done.returncode == 2
    assert "two of askew.checks are called 'tiny-rule'" in done.stderr


def test_one_that_cannot_be_imported_is_an_error_and_no_crash(site: Path, tmp_path: Path) -> None:
    (tmp_path / "askew.toml").write_text("plugins = true\n", encoding="utf-8")
    broken = tmp_path / "broken" / "broken-1.0.dist-info"
    broken.mkdir(parents=True)
    (broken / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n", encoding="utf-8")
    (broken / "entry_points.txt").write_text("[askew.checks]\nbroken = no_such_module\n", encoding="utf-8")
    done = askew(broken.parent, tmp_path, "check", "cmd:vllm serve m")
    assert done.returncode == 2
    assert "the plug-in no_such_module cannot be used" in done.stderr
