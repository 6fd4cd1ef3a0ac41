"""Runs a program that is on PATH, bounded in time and output, without a shell."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import msgspec

MAX_OUTPUT = 256 * 2**20


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
    """Run a program and wait for it. It and its children are killed after ``seconds`` or beyond ``limit`` bytes."""
    import signal
    import subprocess
    import tempfile
    import threading

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
            return Ended(-1, b"", "", f"{os.path.basename(argv[0])} could not be started: {error.strerror}")
        faults: list[str] = []

        def kill(fault: str) -> None:
            faults.append(fault)
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except OSError:
                process.kill()

        timer = threading.Timer(seconds, kill, (f"{os.path.basename(argv[0])} took longer than {seconds:g} seconds",))
        timer.start()
        parts: list[bytes] = []
        size = 0
        try:
            with process, process.stdout or open(os.devnull, "rb") as stream:
                while part := stream.read1(2**20) if hasattr(stream, "read1") else stream.read(2**20):
                    size += len(part)
                    if size > limit:
                        kill(f"{os.path.basename(argv[0])} wrote more than {limit:,} bytes")
                        break
                    parts.append(part)
        finally:
            timer.cancel()
        complaints.seek(0)
        complaint = complaints.read(64 * 1024).decode("utf-8", "replace")
        return Ended(process.returncode, b"".join(parts), complaint.strip(), faults[0] if faults else "")
