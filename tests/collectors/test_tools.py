"""Programs are bounded in time and output, and start without a shell."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import pytest

from askew.collectors import tools
from askew.collectors.tools import find, quiet_environment, run


def test_output_and_complaint() -> None:
    code = "import sys; print(sys.stdin.read().upper(), end=''); print('bad', file=sys.stderr); sys.exit(3)"
    ended = run([sys.executable, "-c", code], seconds=20, given=b"x $HOME")
    assert (ended.status, ended.output, ended.complaint, ended.fault) == (3, b"X $HOME", "bad", "")


def test_what_takes_too_long_is_ended_with_its_children() -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
    begin = time.monotonic()
    ended = run([sys.executable, "-c", code], seconds=1)
    assert "longer than 1 seconds" in ended.fault
    assert time.monotonic() - begin < 10


def test_what_says_too_much_is_ended() -> None:
    ended = run([sys.executable, "-c", "while True: print('x' * 10000)"], seconds=20, limit=100_000)
    assert "more than 100,000 bytes" in ended.fault
    assert len(ended.output) <= 100_000


def test_what_complains_without_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "_COMPLAINTS", 100_000)
    monkeypatch.setattr(tools, "_LOOK", 0.1)
    code = "import sys\nwhile True: print('x' * 10000, file=sys.stderr)"
    assert "more than 100,000 bytes" in run([sys.executable, "-c", code], seconds=20, limit=100_000).fault


def test_a_child_that_left_the_group_is_not_waited_for() -> None:
    code = "import os, time\nif os.fork() == 0: os.setsid(); time.sleep(4)"
    begin = time.monotonic()
    ended = run([sys.executable, "-c", code], seconds=0.5)
    assert "longer than 0.5 seconds" in ended.fault
    assert time.monotonic() - begin < 3


def test_ctrl_c_leaves_nothing_running(tmp_path: Path) -> None:
    def press(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, press)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(KeyboardInterrupt):
            run(["sh", "-c", f"sleep 2; echo late > {tmp_path}/late"], seconds=20)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    time.sleep(2)
    assert not (tmp_path / "late").exists()


def test_what_is_not_there() -> None:
    assert "could not be started" in run(["/nonexistent/program"], seconds=1).fault
    assert find("no-such-program-anywhere") is None


def test_a_renderer_gets_no_settings_of_the_caller() -> None:
    import os

    os.environ["HELM_NAMESPACE"] = "x"
    try:
        env = quiet_environment("/nowhere", {"A": "1"})
    finally:
        del os.environ["HELM_NAMESPACE"]
    assert "HELM_NAMESPACE" not in env and env["HOME"] == "/nowhere" and env["A"] == "1"
    assert env["PATH"] == os.environ["PATH"]
