"""Build a real etcd, kube-apiserver and kube-controller-manager from source, through the Go module proxy.

    python -m tests.cluster.build [FOLDER]

They land in FOLDER, by default ``KUBEBUILDER_ASSETS`` or else ``.cache/kubebuilder``. What is there already, of this
``components/go.mod`` and this Go, is kept. Exit status: 0 built or kept, 1 they do not compile, 3 this machine cannot
build them (no Go, or the modules cannot be had).

The releases and their hashes are in ``components/go.mod`` and ``go.sum``. All three are packages of one module, so that
what they share is compiled once. Kubernetes' own ``replace`` lines do not count in a dependency: its staging modules
are listed anew. The version is set as its release build sets it: without one the server calls itself v0.0.0-master.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULE = Path(__file__).resolve().parent / "components"
PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "certs": "./certs",
}
_STAMP = ".built"
_STAGING = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
# What `go list` says when components/go.mod or go.sum are wrong, wherever they are built.
_OURS = re.compile(r"missing go\.sum|checksum mismatch|updates to go\.mod|no required module|errors parsing")
CANNOT = 3


class CannotBuildError(Exception):
    """This machine cannot: the message says what is missing, ``hint`` what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def assets(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder that holds the binaries, or shall."""
    named = environment.get("KUBEBUILDER_ASSETS")  # the convention of controller-runtime's envtest
    return Path(named) if named else ROOT / ".cache" / "kubebuilder"


def missing(folder: Path) -> list[str]:
    """Which of the binaries are not there."""
    return [name for name in PACKAGES if not os.access(folder / name, os.X_OK)]


def version() -> str:
    """The release of Kubernetes that ``components/go.mod`` names."""
    found = re.search(r"^\s*(?:require )?k8s\.io/kubernetes v(\S+)", (MODULE / "go.mod").read_text(), re.MULTILINE)
    assert found, "components/go.mod requires k8s.io/kubernetes"
    return found[1]


def build(folder: Path) -> list[str]:
    """Build what is missing or of another go.mod; the names built.

    Raises CannotBuildError, or CalledProcessError when it does not compile.
    """
    go = shutil.which("go")
    if go is None:
        raise CannotBuildError("there is no `go` on PATH", "install Go 1.24 or newer: https://go.dev/dl/")
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -buildvcs=false"}
    release = _output(go, ["env", "GOVERSION"], environment)
    stamp = hashlib.sha256(release.encode() + b"".join(path.read_bytes() for path in _sources())).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    if not missing(folder) and _read(folder / _STAMP) == stamp:
        return []
    (folder / _STAMP).unlink(missing_ok=True)
    _fetch(go, environment)
    for name, package in PACKAGES.items():
        began = time.monotonic()
        subprocess.run(
            [go, "build", "-p", "2", "-trimpath", "-ldflags", _ldflags(), "-o", str(folder / f"{name}.new"), package],
            cwd=MODULE, env=environment, check=True,
        )  # fmt: skip
        (folder / f"{name}.new").replace(folder / name)  # a server that runs keeps its file
        print(f"  {name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    (folder / _STAMP).write_text(stamp)
    return list(PACKAGES)


def _fetch(go: str, environment: Mapping[str, str]) -> None:
    """Have the sources of every package that is compiled: what fails here is the network's or the proxy's, not ours."""
    began = time.monotonic()
    listed = subprocess.run(
        [go, "list", "-deps", "-f", "{{.ImportPath}}", *PACKAGES.values()],
        cwd=MODULE, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    if listed.returncode:
        said = [line for line in listed.stderr.splitlines() if "downloading" not in line]
        if _OURS.search(listed.stderr):
            print(*said[-5:], sep="\n", file=sys.stderr)
            listed.check_returncode()
        raise CannotBuildError(
            "the modules could not be had:\n  " + "\n  ".join(said[-5:]),
            "`go env GOPROXY` names the proxy, which must serve k8s.io/kubernetes and go.etcd.io/etcd; "
            "Go must be 1.24 or newer",
        )
    print(
        f"  {len(listed.stdout.split())} packages fetched and listed: {time.monotonic() - began:.0f} s",
        file=sys.stderr, flush=True,
    )  # fmt: skip


def _ldflags() -> str:
    release = version()
    major, minor, *_ = release.split(".")
    values = {
        "gitVersion": f"v{release}", "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean",
        "gitCommit": "unknown", "buildDate": "1970-01-01T00:00:00Z",
    }  # fmt: skip
    return "-s -w " + " ".join(f"-X {package}.{key}={value}" for package in _STAGING for key, value in values.items())


def _sources() -> Sequence[Path]:
    return (MODULE / "go.mod", MODULE / "go.sum", MODULE / "certs" / "main.go", Path(__file__))


def _output(go: str, arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    return subprocess.run([go, *arguments], env=environment, check=True, capture_output=True, text=True).stdout.strip()


def _read(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


def main(arguments: Sequence[str]) -> int:
    folder = Path(arguments[0]).absolute() if arguments else assets()
    os.nice(10)  # minutes of both cores: whoever sits at this machine comes first
    try:
        print(f"Kubernetes {version()} for the tests, in {folder}", file=sys.stderr, flush=True)
        built = build(folder)
    except CannotBuildError as error:
        print(f"error: {error}\nhint: {error.hint}", file=sys.stderr)
        return CANNOT
    except subprocess.CalledProcessError as error:
        print(f"error: {' '.join(map(str, error.cmd))} failed", file=sys.stderr)
        print("hint: its own message is above; memory may be short: two compilers need about 4 GB", file=sys.stderr)
        return 1
    print(f"  {'built' if built else 'there already'}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
