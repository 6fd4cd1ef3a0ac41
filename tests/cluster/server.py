"""A real Kubernetes control plane on loopback: etcd, kube-apiserver with RBAC, kube-controller-manager. No kubelet.

    with running(assets(), folder) as cluster:
        cluster.admin.post("/api/v1/namespaces", {"metadata": {"name": "prod"}})

``python -m tests.cluster.server`` starts one to try things by hand. `fleet.py` plays scheduler and kubelet. Everything
lies in one folder, on free ports, and is gone afterwards.
"""

from __future__ import annotations

import base64
import json
import shutil
import signal
import socket
import subprocess
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import msgspec

from tests.cluster.api import Api, ApiError

# Started fresh each of these takes seconds; a machine that is busy with other tests needs several times as long.
PATIENCE = 90.0
# name, group: with a token, and with a client certificate of the same name. Only the first may do anything by itself.
USERS = {"admin": "system:masters", "reader": "readers", "limited": "limited", "nobody": "nobody"}
# Those that a rollout needs. Without a metrics API the autoscaler's would only ever write that it has none; tests
# write the status of an HPA as it would stand.
CONTROLLERS = (
    "deployment-controller,replicaset-controller,statefulset-controller,daemonset-controller,"
    "job-controller,cronjob-controller,serviceaccount-controller,namespace-controller,garbage-collector-controller,disruption-controller"
)
# Else old pages are served from memory, and a page is never gone (beta since Kubernetes 1.34).
FORGETFUL = ("--feature-gates=ListFromCacheSnapshot=false",)
AUDIT = "audit.jsonl"
# Every request that one of USERS made; not the server's own.
_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted"],
    "rules": [{"level": "Metadata", "users": list(USERS)}, {"level": "None"}],
}


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request as the server's audit log has it: ``verb`` is get, list, watch, create, …"""

    verb: str
    uri: str
    code: int


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """A running control plane. ``folder`` holds ``ca.crt``, ``NAME.crt`` and ``NAME.key`` of each user."""

    url: str
    etcd: str
    folder: Path
    logs: Path
    admin: Api

    def api(self, user: str) -> Api:
        """The API as another user."""
        return Api(self.url, str(self.folder / "ca.crt"), token=token(user))

    def kubeconfig(self, user: str = "admin", *, namespace: str = "default", url: str = "", how: str = "token") -> Path:
        """A kubeconfig file of this user: ``how`` is token, certificate (files) or inline (base64). ``url`` names
        another server, such as one in front of this one."""
        path = self.folder / f"kubeconfig-{user}-{namespace}-{how}-{zlib.crc32(url.encode())}.json"
        path.write_text(json.dumps(self.config(user, namespace=namespace, url=url, how=how)))
        return path

    def config(self, user: str = "admin", *, namespace: str = "default", url: str = "", how: str = "token") -> dict:
        """The content of `kubeconfig`, for tests that change it."""
        certificate, key = self.folder / f"{user}.crt", self.folder / f"{user}.key"
        identity = {
            "token": {"token": token(user)},
            "certificate": {"client-certificate": str(certificate), "client-key": str(key)},
            "inline": {"client-certificate-data": _base64(certificate), "client-key-data": _base64(key)},
        }[how]
        server: dict[str, object] = {"server": url or self.url}
        if not url.startswith("http:"):
            server["certificate-authority-data"] = _base64(self.folder / "ca.crt")
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": server}],
            "users": [{"name": user, "user": identity}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user, "namespace": namespace}}],
            "current-context": "test",
        }

    def await_right(self, user: str, verb: str, resource: str, *, group: str = "", namespace: str = "") -> None:
        """Until the server acts on a binding that was just made: it hears of it as everybody does, a little later."""
        attributes = {"verb": verb, "group": group, "resource": resource, "namespace": namespace}
        review = {"spec": {"user": user, "groups": [USERS[user]], "resourceAttributes": attributes}}
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        wait(lambda: bool(self.admin.post(path, review)["status"]["allowed"]))

    def compact(self) -> None:
        """Forget old revisions, so that a continue token from before is answered with 410 Gone."""
        status = self._etcd("maintenance/status", {})
        self._etcd("kv/compaction", {"revision": status["header"]["revision"], "physical": True})

    @contextmanager
    def requests(self, user: str) -> Iterator[list[Call]]:
        """What this user asks the server for inside the block: filled when it ends."""
        log = self.logs / AUDIT
        start = log.stat().st_size if log.exists() else 0
        calls: list[Call] = []
        try:
            yield calls
        finally:
            time.sleep(0.3)  # an answer is logged after it is sent
            with open(log, "rb") as file:
                file.seek(start)
                events = [json.loads(line) for line in file]
            calls.extend(
                Call(verb=event["verb"], uri=event["requestURI"], code=event["responseStatus"]["code"])
                for event in events
                if event["user"]["username"] == user
            )

    def store(self, objects: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Write objects past the API server, each under its key in etcd: thousands a second. They are taken as they
        are, so that they must be what the server itself would have stored (it reads JSON as well as protobuf)."""
        batch: list[dict] = []
        size = 0
        for key, value in objects:
            text = json.dumps(value, separators=(",", ":")).encode()
            if batch and (size + len(text) > 1_000_000 or len(batch) == 128):  # etcd's limits of a transaction
                self._etcd("kv/txn", {"success": batch})
                batch, size = [], 0
            put = {"key": base64.b64encode(key.encode()).decode(), "value": base64.b64encode(text).decode()}
            batch.append({"request_put": put})
            size += len(text)
        if batch:
            self._etcd("kv/txn", {"success": batch})

    def _etcd(self, path: str, body: dict) -> dict:
        request = Request(f"{self.etcd}/v3/{path}", json.dumps(body).encode())
        with urlopen(request, timeout=30) as answer:
            return json.load(answer)


def token(user: str) -> str:
    """The bearer token of a user."""
    return f"token-of-{user}"


@contextmanager
def running(
    assets: Path, folder: Path, *, controllers: bool = True, apiserver: Sequence[str] = FORGETFUL
) -> Iterator[Cluster]:
    """Start the three in ``folder`` from the binaries in ``assets``; stopped, with everything they hold, at the end.
    Without ``controllers`` nothing acts on what is written. ``apiserver`` are further flags of it.

    Raises RuntimeError with the last lines of its log when one of them does not come up.
    """
    logs = folder / "logs"
    logs.mkdir(parents=True)
    certificates = [f"{user}={user}/{group}" for user, group in USERS.items()]
    certificates += ["controllers=controllers/system:masters", "expired=admin/system:masters@-1"]
    subprocess.run([assets / "certs", folder, *certificates], check=True)
    (folder / "audit.json").write_text(json.dumps(_AUDIT_POLICY))
    (folder / "tokens.csv").write_text("".join(f'{token(u)},{u},{u},"{group}"\n' for u, group in USERS.items()))
    etcd_port, peer_port, port = _free_ports(3)
    etcd = f"http://127.0.0.1:{etcd_port}"
    peers = f"http://127.0.0.1:{peer_port}"
    started: list[subprocess.Popen[bytes]] = []
    # Where a tool of Linux can see to it they do not outlive tests that are killed.
    tied = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []

    def start(name: str, *flags: str) -> Callable[[], None]:
        with open(logs / f"{name}.log", "wb") as log:
            process = subprocess.Popen(
                [*tied, assets / name, *flags], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder,
                start_new_session=True,  # Ctrl-C ends the tests, which end these in order
            )  # fmt: skip
        started.append(process)

        def still_runs() -> None:
            if (code := process.poll()) is not None:
                tail = "\n".join((logs / f"{name}.log").read_text(errors="replace").splitlines()[-15:])
                raise RuntimeError(f"{name} ended with {code}:\n{tail}")

        return still_runs

    try:
        start(
            "etcd",
            f"--data-dir={folder / 'etcd'}", "--unsafe-no-fsync", "--log-level=warn",
            f"--listen-client-urls={etcd}", f"--advertise-client-urls={etcd}",
            f"--listen-peer-urls={peers}", f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
        )  # fmt: skip
        alive = start(
            "kube-apiserver",
            f"--etcd-servers={etcd}", f"--secure-port={port}",
            "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1",
            f"--tls-cert-file={folder / 'server.crt'}", f"--tls-private-key-file={folder / 'server.key'}",
            f"--client-ca-file={folder / 'ca.crt'}", f"--token-auth-file={folder / 'tokens.csv'}",
            "--authorization-mode=RBAC", "--service-cluster-ip-range=10.0.0.0/24", "--allow-privileged=true",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={folder / 'accounts.pub'}",
            f"--service-account-signing-key-file={folder / 'accounts.key'}",
            "--endpoint-reconciler-type=none", "--enable-priority-and-fairness=false", "--profiling=false",
            f"--audit-policy-file={folder / 'audit.json'}", f"--audit-log-path={logs / AUDIT}", *apiserver,
        )  # fmt: skip
        url = f"https://127.0.0.1:{port}"
        admin = Api(url, str(folder / "ca.crt"), token=token("admin"))
        cluster = Cluster(url=url, etcd=etcd, folder=folder, logs=logs, admin=admin)
        wait(lambda: admin.text("/readyz") == "ok", alive)
        if controllers:
            config = cluster.config("controllers", how="certificate")
            (folder / "controllers.json").write_text(json.dumps(config))
            alive = start(
                "kube-controller-manager",
                f"--kubeconfig={folder / 'controllers.json'}", f"--controllers={CONTROLLERS}", "--leader-elect=false",
                f"--service-account-private-key-file={folder / 'accounts.key'}",
                f"--root-ca-file={folder / 'ca.crt'}", "--secure-port=0", "--bind-address=127.0.0.1",
            )  # fmt: skip
            # The account that every pod of a namespace is given is made by a controller: with it, they run.
            wait(lambda: bool(admin.get("/api/v1/namespaces/default/serviceaccounts/default")), alive)
        yield cluster
    finally:
        for process in reversed(started):
            _stop(process)


def wait(ready: Callable[[], bool], alive: Callable[[], None] = lambda: None) -> None:
    """Until ``ready``; a server that refuses meanwhile is not. Raises RuntimeError when it takes too long, and whatever
    ``alive`` raises."""
    until = time.monotonic() + PATIENCE
    said: Exception | None = None
    while time.monotonic() < until:
        alive()
        try:
            if ready():
                return
        except (OSError, ApiError) as error:
            said = error
        time.sleep(0.05)
    raise RuntimeError(f"not ready after {PATIENCE:.0f} s: {said or 'it says no'}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(3)
    except subprocess.TimeoutExpired:  # the API server drains for long; nobody is waiting for its answers
        process.kill()
        process.wait()


def _free_ports(count: int) -> Sequence[int]:
    """Ports that are free now, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def main() -> None:
    import tempfile

    from tests.cluster.build import assets

    with tempfile.TemporaryDirectory() as folder, running(assets(), Path(folder)) as cluster:
        print(f"export KUBECONFIG={cluster.kubeconfig()}   # until Ctrl-C", flush=True)
        with suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main()
