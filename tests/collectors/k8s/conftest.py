"""A kubeconfig for the scripted server of a test, and certificates where OpenSSL is there to make them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from askew.app import sources
from askew.collectors import tools
from askew.collectors.interface import Evidence
from askew.collectors.k8s import COLLECTOR
from askew.evidence.redaction import Redactor
from tests.collectors.k8s.scripted import Cluster, kubeconfig

Ask = Callable[..., Evidence]


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test finds the kubeconfig, the proxies or the service account of whoever runs it."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in [*os.environ]:
        if name.lower().endswith("_proxy") or name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
            monkeypatch.delenv(name)


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Collect a URI from a scripted server."""

    def collect(
        cluster: Cluster | None, uri: str, redactor: Redactor | None = None, /, *, keep: bool = False, **config: Any
    ) -> Evidence:
        if cluster is not None:
            monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "config", cluster.url, **config)))
        (request,) = sources.parse(uri)
        request = msgspec.structs.replace(request, keep=keep)
        return COLLECTOR.collect(request, redactor or Redactor(b"key"))

    return collect


class Certificates:
    """An authority, a server's certificate for 127.0.0.1 and for the name api.test, and a client's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=ca",
                  "-addext", "keyUsage=critical,keyCertSign", "-keyout", "ca.key", "-out", "ca.crt")  # fmt: skip
        for name, names in (("server", "IP:127.0.0.1"), ("named", "DNS:api.test"), ("client", "DNS:client")):
            self._run("req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key",
                      "-out", f"{name}.csr")  # fmt: skip
            (folder / "extensions").write_text(f"subjectAltName={names}\n")
            self._run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                      "-days", "2", "-extfile", "extensions", "-out", f"{name}.crt")  # fmt: skip

    def _run(self, *words: str) -> None:
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    if tools.find("openssl") is None:
        pytest.skip("needs openssl to make certificates")
    return Certificates(tmp_path_factory.mktemp("certificates"))
