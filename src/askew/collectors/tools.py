"""Runs a program that is on PATH, bounded in time and output, without a shell."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from subprocess import Popen

MAX_OUTPUT = 256 * 2**20
_CHUNK = 2**20
_COMPLAINTS = 64 * 2**20  # bytes on the disk, where a program may write less than that
_LOOK = 1.0  # seconds after which a silent program is looked at, and for which a killed one is waited for


class Ended(msgspec.Struct, frozen=True):
    """How a program ended. ``fault`` says why it has no result: not started, took too long, wrote too much."""

    status: int
    output: bytes
    complaint: str
    fault: str = ""


def find(*names: str) -> str | None:
    """The path of the first of these programs that is installed."""
    from shutil import which

    return next((path for name in names if (path := which(name))), None)


def quiet_environment(home: str, extra: Mapping[str, str]) -> dict[str, str]:
    """An environment in which a renderer finds no configuration, no plug-ins, no cluster and no way to the network.

    ``home`` is an empty directory. Of the caller's environment only what a program needs to start stays.
    """
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT") if name in os.environ}
    nowhere = "http://127.0.0.1:9"  # the discard port: whoever asks the network is refused at once
    return {
        **kept,
        "HOME": home,
        "XDG_CONFIG_HOME": home,
        "XDG_CACHE_HOME": home,
        "XDG_DATA_HOME": home,
        "KUBECONFIG": os.devnull,
        "HTTP_PROXY": nowhere,
        "HTTPS_PROXY": nowhere,
        "http_proxy": nowhere,
        "https_proxy": nowhere,
        "NO_PROXY": "",
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_TERMINAL_PROMPT": "0",
        **extra,
    }


def run(
    argv: Sequence[str],
    *,
    seconds: float,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    given: bytes = b"",
    limit: int = MAX_OUTPUT,
) -> Ended:
    """Run a program and wait for it. It and its children are killed after ``seconds`` or beyond ``limit`` bytes, and
    where Ctrl-C ends the wait."""
    import subprocess
    import tempfile

    name = os.path.basename(argv[0])
    with tempfile.TemporaryFile() as complaints, tempfile.TemporaryFile() as source:
        source.write(given)
        source.seek(0)
        try:
            process = subprocess.Popen(
                list(argv),
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=complaints,
                cwd=cwd,
                env=env,
                start_new_session=True,
            )
        except OSError as error:
            return Ended(-1, b"", "", f"{name} could not be started: {error.strerror}")
        assert process.stdout is not None
        with process.stdout as stream:
            try:
                output, fault = _output(process, stream, complaints, seconds, limit)
            except BaseException:
                _kill(process)
                raise
            if fault:
                _kill(process)
        complaints.seek(0)
        complaint = complaints.read(64 * 1024).decode("utf-8", "replace")
        status = -1 if process.returncode is None else process.returncode
        return Ended(status, output, complaint.strip(), f"{name} {fault}" if fault else "")


def _output(
    process: Popen[bytes], stream: IO[bytes], complaints: IO[bytes], seconds: float, limit: int
) -> tuple[bytes, str]:
    """What a program writes until it ends, and what is wrong with it. Never waits longer than ``seconds``, not even for
    a child that left the program's group and holds its output open."""
    import selectors
    import time
    from subprocess import TimeoutExpired

    end = time.monotonic() + seconds
    parts: list[bytes] = []
    size = 0
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while (left := end - time.monotonic()) > 0:
            ready = selector.select(min(left, _LOOK))
            part = os.read(stream.fileno(), _CHUNK) if ready else b""
            size += len(part)
            if size > limit or os.fstat(complaints.fileno()).st_size > max(limit, _COMPLAINTS):
                return b"".join(parts), f"wrote more than {limit:,} bytes"
            parts.append(part)
            if ready and not part:
                try:
                    process.wait(max(end - time.monotonic(), 0))
                except TimeoutExpired:
                    break
                return b"".join(parts), ""
    return b"".join(parts), f"took longer than {seconds:g} seconds"


def _kill(process: Popen[bytes]) -> None:
    """End a program with its children. One that a driver holds cannot be ended, and is not waited for."""
    import signal
    from subprocess import TimeoutExpired

    try:
        os.killpg(process.pid, signal.SIGKILL)
    except OSError:
        process.kill()
    with contextlib.suppress(TimeoutExpired):
        process.wait(_LOOK)
