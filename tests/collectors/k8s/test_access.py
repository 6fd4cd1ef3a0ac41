"""Kubeconfig as kubectl reads it, the service account of a pod, and every way to log in."""

from __future__ import annotations

import base64
import json
import ssl
import stat
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from askew.collectors.k8s import access as module
from askew.collectors.k8s import login
from askew.collectors.k8s.access import AccessError, access
from tests.collectors.k8s.conftest import Ask, Certificates
from tests.collectors.k8s.scripted import Cluster, kubeconfig, rollout

CANARY = "canary-4f1c9e0b7d"
CONTEXT = "contexts: [{name: x, context: {cluster: c}}]\n"


def config(path: Path, *names: str, current: str = "", server: str = "https://{}:1") -> Path:
    value: dict[str, Any] = {
        "clusters": [{"name": n, "cluster": {"server": server.format(n)}} for n in names],
        "users": [{"name": n, "user": {"token": f"{CANARY}-{n}"}} for n in names],
        "contexts": [{"name": n, "context": {"cluster": n, "user": n}} for n in names],
    }
    if current:
        value["current-context"] = current
    path.write_text(yaml.safe_dump(value))
    return path


def plugin(path: Path, script: str) -> Path:
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def credential(**status: str) -> str:
    return json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status})


def exec_user(command: object, **more: object) -> dict[str, Any]:
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(command), **more}}


# -- which cluster -----------------------------------------------------------------------------------------


def test_of_several_files_the_first_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = config(tmp_path / "one", "a", "shared", current="a")
    two = config(tmp_path / "two", "b", "shared", current="b", server="https://{}-two:1")
    monkeypatch.setenv("KUBECONFIG", f"{one}:{tmp_path / 'missing'}::{two}")
    assert access().context == "a"
    assert access("b").cluster.server == "https://b-two:1"
    assert access("shared").cluster.server == "https://shared:1"
    assert module.contexts() == ("a", "shared", "b")


def test_the_file_in_the_home_directory(tmp_path: Path) -> None:
    (tmp_path / "home" / ".kube").mkdir(parents=True)
    config(tmp_path / "home" / ".kube" / "config", "a", current="a")
    assert access().namespace == "default"


def test_paths_start_from_their_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "token").write_text("t0ken\n")
    kubeconfig(tmp_path / "deep" / "config", "http://127.0.0.1:1", user={"tokenFile": "token"})
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "deep" / "config"))
    monkeypatch.chdir(tmp_path)
    assert login.Login(access()).headers() == {"Authorization": "Bearer t0ken"}


def test_a_pod_asks_its_own_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("of-the-pod")
    (tmp_path / "namespace").write_text("prod\n")
    monkeypatch.setattr(module, "ACCOUNT", str(tmp_path))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "6443")
    found = access()
    assert (found.context, found.namespace, found.cluster.server) == ("in-cluster", "prod", "https://[fd00::1]:6443")
    assert found.user.token_file == str(tmp_path / "token")


@pytest.mark.parametrize(
    ("text", "context", "said", "hint"),
    [
        (None, "", "there is no kubeconfig", "set KUBECONFIG"),
        ("", "", "names no current context", "use-context"),
        ("- a\n", "", "is no kubeconfig", "KUBECONFIG"),
        ("a: [\n", "", "is not valid YAML", "kubectl config view"),
        ("current-context: x\n", "", "no context is called 'x'; there are: none", "get-contexts"),
        (CONTEXT, "x", "names the cluster 'c', which is not there", "get-contexts"),
        (CONTEXT + "clusters: [{name: c, cluster: {}}]\n", "x", "has no server", "view"),
        (
            CONTEXT.replace("c}", "c, user: u}") + "clusters: [{name: c, cluster: {server: h}}]\n",
            "x", "names the user 'u', who is not there", "get-contexts",
        ),
        (
            CONTEXT.replace("c}", "c, user: u}") + "clusters: [{name: c, cluster: {server: h}}]\n"
            f"users: [{{name: u, user: {{token: [{CANARY}]}}}}]\n",
            "x", "user 'u' is not as expected", "kubectl config view",
        ),
        ("{}", "in-cluster", "this runs in no pod", "name a context"),
    ],
)  # fmt: skip
def test_what_is_no_access(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, context: str, said: str, hint: str
) -> None:
    if text is not None:
        (tmp_path / "config").write_text(text)
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    with pytest.raises(AccessError) as error:
        access(context)
    assert said in error.value.message
    assert hint in error.value.hint
    assert CANARY not in str(error.value) + error.value.hint


# -- how to log in -----------------------------------------------------------------------------------------


def test_ways_that_are_a_header(ask: Ask) -> None:
    with Cluster(*rollout()) as cluster:
        for user, header in (
            ({"token": "abc"}, "Bearer abc"),
            ({"username": "jane", "password": "pw"}, "Basic " + base64.b64encode(b"jane:pw").decode()),
            ({"auth-provider": {"name": "oidc", "config": {"id-token": "x.y"}}}, "Bearer x.y"),
        ):
            assert ask(cluster, "k8s:prod/deploy/llm", user=user).status == "complete"
            assert {one["authorization"] for one in cluster.headers} == {header}
            cluster.headers.clear()


def test_impersonation(ask: Ask) -> None:
    with Cluster(*rollout()) as cluster:
        ask(cluster, "k8s:prod/deploy/llm?as=jane&as-group=dev&as-group=ops")
        assert cluster.headers[0]["impersonate-user"] == "jane"
        assert cluster.headers[0]["impersonate-group"] == "ops"  # a dict keeps the last of two
        ask(cluster, "k8s:prod/deploy/llm", user={"as": "joe", "as-groups": ["qa"], "as-uid": "7"})
        assert cluster.headers[-1]["impersonate-user"] == "joe"
        assert (cluster.headers[-1]["impersonate-group"], cluster.headers[-1]["impersonate-uid"]) == ("qa", "7")
        found = ask(cluster, "k8s:prod/deploy/llm?as=j%0Ane")
        assert "no header can" in found.errors[0].message


def test_a_plug_in_gives_a_token_and_is_told_of_the_cluster(tmp_path: Path, ask: Ask) -> None:
    script = plugin(
        tmp_path / "login",
        f'printf "%s" "$KUBERNETES_EXEC_INFO" > {tmp_path}/info\necho "$MORE $1" > {tmp_path}/words\n'
        f"cat <<'X'\n{credential(token='from-plugin')}\nX\n",
    )  # fmt: skip
    user = exec_user(script, args=["first"], env=[{"name": "MORE", "value": "yes"}], provideClusterInfo=True)
    with Cluster(*rollout()) as cluster:
        cluster.token = "from-plugin"
        assert ask(cluster, "k8s:prod/deploy/llm", user=user).status == "complete"
    info = json.loads((tmp_path / "info").read_text())
    assert info["kind"] == "ExecCredential"
    assert info["spec"] == {"interactive": False, "cluster": {"server": cluster.url}}
    assert (tmp_path / "words").read_text() == "yes first\n"


def test_a_plug_in_is_asked_again_when_its_token_has_expired(tmp_path: Path, ask: Ask) -> None:
    script = plugin(
        tmp_path / "login",
        f"n=$(cat {tmp_path}/n 2>/dev/null || echo 0); n=$((n+1)); echo $n > {tmp_path}/n\n"
        f"printf '{credential(token='t%s')}' $n\n",
    )
    with Cluster(*rollout()) as cluster:
        cluster.token = "t2"
        assert ask(cluster, "k8s:prod/deploy/llm", user=exec_user(script)).status == "complete"
        cluster.token = "t9"
        found = ask(cluster, "k8s:prod/deploy/llm", user=exec_user(script))
    assert "does not accept the credentials" in found.errors[0].message
    assert (tmp_path / "n").read_text() == "4\n"  # once for each login, and once again after each refusal


@pytest.mark.parametrize(
    ("script", "more", "said"),
    [
        (f"echo {CANARY}{CANARY}; echo 'over: {CANARY}{CANARY}' >&2; exit 3", {}, "failed with status 3: over: …"),
        (f"echo {CANARY}", {}, "answered something else than an ExecCredential"),
        (r"""printf '{"kind": "ExecCredential", "status": {"token": "\377"}}'""", {}, "something else than an Exec"),
        ("echo '{}'", {}, "gave no credential"),
        (f"cat <<'X'\n{credential()}\nX", {}, "gave neither a token nor a certificate"),
        ("true", {"apiVersion": "client.authentication.k8s.io/v1alpha1"}, "speaks client.authentication.k8s.io/"),
        ("true", {"interactiveMode": "Always"}, "always asks at the terminal"),
    ],
)  # fmt: skip
def test_a_plug_in_that_fails(tmp_path: Path, ask: Ask, script: str, more: dict[str, Any], said: str) -> None:
    user = exec_user(plugin(tmp_path / "login", script), **more)
    with Cluster() as cluster:
        found = ask(cluster, "k8s:prod", user=user)
        assert not cluster.asked
    assert found.status == "failed"
    assert said in found.errors[0].message
    assert found.errors[0].hint
    assert CANARY not in repr(found)


def test_a_plug_in_that_hangs(tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login, "_SECONDS", 0.2)
    with Cluster() as cluster:
        began = time.monotonic()
        found = ask(cluster, "k8s:prod", user=exec_user(plugin(tmp_path / "login", "exec sleep 60")))
    assert time.monotonic() - began < 30
    assert "took longer than 0.2 seconds" in found.errors[0].message


def test_a_plug_in_that_is_not_installed(ask: Ask) -> None:
    with Cluster() as cluster:
        found = ask(cluster, "k8s:prod", user=exec_user("not-there", installHint="Install\nit  from here"))
        other = ask(cluster, "k8s:prod", user=exec_user("./not-there"))
    assert "'not-there', which kubeconfig names, is not installed" in found.errors[0].message
    assert found.errors[0].hint == "Install it from here"
    assert "'./not-there'" in other.errors[0].message


@pytest.mark.parametrize(
    ("provider", "said", "hint"),
    [
        ({"name": "oidc", "config": {"id-token": "EXPIRED"}}, "OIDC token in kubeconfig has expired", "refreshes it"),
        ({"name": "oidc"}, "holds no OIDC token", "refreshes it"),
        ({"name": "gcp"}, "'gcp' was removed", "gke-gcloud-auth-plugin"),
        ({"name": "odd"}, "'odd' is no credential provider", "log in"),
    ],
)
def test_providers_of_old(ask: Ask, provider: dict[str, Any], said: str, hint: str) -> None:
    if provider.get("config"):
        claims = base64.urlsafe_b64encode(json.dumps({"exp": 1}).encode()).decode().rstrip("=")
        provider = {"name": "oidc", "config": {"id-token": f"head.{claims}.{CANARY}"}}
    with Cluster() as cluster:
        found = ask(cluster, "k8s:prod", user={"auth-provider": provider})
    assert said in found.errors[0].message
    assert hint in found.errors[0].hint
    assert CANARY not in repr(found)


def test_nobody_is_let_in(ask: Ask) -> None:
    with Cluster() as cluster:
        cluster.token = "another"
        found = ask(cluster, "k8s:prod", user={"token": CANARY})
    assert found.status == "failed"
    assert "does not accept the credentials of the context 'test' (401)" in found.errors[0].message
    assert CANARY not in repr(found)


def test_a_token_that_no_header_can_hold(ask: Ask) -> None:
    with Cluster() as cluster:
        found = ask(cluster, "k8s:prod", user={"token": f"{CANARY}\r\nX-Evil: 1"})
        assert not cluster.asked
    assert "characters that no token has" in found.errors[0].message
    assert CANARY not in repr(found)


# -- TLS ---------------------------------------------------------------------------------------------------


def secured(cluster: Cluster, certificates: Certificates, name: str = "server", *, clients: bool = False) -> Cluster:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.folder / f"{name}.crt", certificates.folder / f"{name}.key")
    if clients:
        context.load_verify_locations(certificates.folder / "ca.crt")
        context.verify_mode = ssl.CERT_REQUIRED
    cluster.speak_tls(context)
    return cluster


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def test_authorities(certificates: Certificates, ask: Ask) -> None:
    by_file = {"certificate-authority": str(certificates.folder / "ca.crt")}
    by_data = {"certificate-authority-data": encoded(certificates.read("ca.crt"))}
    with secured(Cluster(*rollout()), certificates) as cluster:
        for trusted in (by_file, by_data, {"insecure-skip-tls-verify": True}):
            assert ask(cluster, "k8s:prod/deploy/llm", cluster=trusted).status == "complete", trusted
        found = ask(cluster, "k8s:prod/deploy/llm")
        other = ask(cluster, "k8s:prod/deploy/llm", cluster={"certificate-authority-data": "!!!"})
        third = ask(cluster, "k8s:prod/deploy/llm", cluster={"certificate-authority": "/nowhere/ca.crt"})
    assert "is not trusted" in found.errors[0].message and "certificate authority" in found.errors[0].hint
    assert other.status == "failed"
    assert "/nowhere/ca.crt" in third.errors[0].message


def test_a_server_that_is_called_otherwise(certificates: Certificates, ask: Ask) -> None:
    trusted = {"certificate-authority": str(certificates.folder / "ca.crt")}
    with secured(Cluster(*rollout()), certificates, "named") as cluster:
        assert "is not trusted" in ask(cluster, "k8s:prod/deploy/llm", cluster=trusted).errors[0].message
        named = {**trusted, "tls-server-name": "api.test"}
        assert ask(cluster, "k8s:prod/deploy/llm", cluster=named).status == "complete"


def test_client_certificates(certificates: Certificates, tmp_path: Path, ask: Ask) -> None:
    trusted = {"certificate-authority": str(certificates.folder / "ca.crt")}
    certificate, key = certificates.read("client.crt"), certificates.read("client.key")
    ends = {"certificate": "crt", "key": "key"}
    files = {f"client-{name}": str(certificates.folder / f"client.{end}") for name, end in ends.items()}
    data = {"client-certificate-data": encoded(certificate), "client-key-data": encoded(key)}
    status = {"clientCertificateData": certificate.decode(), "clientKeyData": key.decode()}
    script = plugin(tmp_path / "login", f"cat <<'X'\n{credential(**status)}\nX\n")
    with secured(Cluster(*rollout()), certificates, clients=True) as cluster:
        for user in (files, data, exec_user(script)):
            assert ask(cluster, "k8s:prod/deploy/llm", cluster=trusted, user=user).status == "complete"
        assert ask(cluster, "k8s:prod/deploy/llm", cluster=trusted).status == "failed"
        wrong = {**data, "client-key-data": encoded(certificates.read("ca.key"))}
        found = ask(cluster, "k8s:prod/deploy/llm", cluster=trusted, user=wrong)
    assert "do not fit" in found.errors[0].message
    assert "PRIVATE KEY" not in repr(found)


def test_http_where_https_is_spoken(certificates: Certificates, ask: Ask) -> None:
    with Cluster() as plain:
        plain.secure = True  # kubeconfig says https
        found = ask(plain, "k8s:prod?timeout=3", cluster={"insecure-skip-tls-verify": True})
    assert "no TLS connection to 127.0.0.1" in found.errors[0].message


def test_no_server_and_no_url(ask: Ask) -> None:
    with Cluster() as cluster:
        cluster.secure = False
        found = ask(cluster, "k8s:prod", cluster={"server": "https://[::1"})
        proxied = ask(cluster, "k8s:prod", cluster={"server": "https://api.test", "proxy-url": "socks5://h:1"})
    assert "is no URL" in found.errors[0].message
    assert "no http:// URL" in proxied.errors[0].message


def test_a_proxy_stands_in_between(certificates: Certificates, ask: Ask) -> None:
    import socket
    import threading

    asked: list[str] = []

    def tunnel(listener: socket.socket, port: int) -> None:
        client, _ = listener.accept()
        with client:
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(4096)
            asked.append(head.decode())
            with socket.create_connection(("127.0.0.1", port)) as server:
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                back = threading.Thread(target=pour, args=(server, client), daemon=True)
                back.start()
                pour(client, server)
                back.join()

    def pour(one: socket.socket, other: socket.socket) -> None:
        try:
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    with (
        secured(Cluster(*rollout()), certificates, "named") as cluster,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        worker = threading.Thread(target=tunnel, args=(listener, cluster.port), daemon=True)
        worker.start()
        found = ask(
            cluster,
            "k8s:prod/deploy/llm?timeout=4",
            cluster={
                "server": "https://api.test",
                "certificate-authority": str(certificates.folder / "ca.crt"),
                "proxy-url": f"http://jane:{CANARY}@127.0.0.1:{listener.getsockname()[1]}",
            },
        )
        worker.join(0.5)
    assert found.status == "complete", (found.errors, asked, cluster.asked)
    assert asked[0].startswith("CONNECT api.test:443")
    assert "Proxy-Authorization: Basic " + encoded(f"jane:{CANARY}".encode()) in asked[0]
    assert CANARY not in repr(found)
