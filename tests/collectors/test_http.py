"""``http://host:8000``: what an endpoint answers, and what a bad one does instead."""

from __future__ import annotations

import gzip
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from askew.collectors.asking import MAX_BYTES, ask
from askew.collectors.http.address import AddressError, address
from askew.collectors.http.collect import COLLECTOR
from askew.collectors.http.transport import Transport
from askew.collectors.interface import Evidence, Request
from askew.evidence.redaction import Redactor
from tests.serving import Answer, as_json, as_text, serving

SECRET = "canary-7f3e9a1b5c"
MODELS = {"object": "list", "data": [{"id": "m", "owned_by": "vllm", "root": "org/m", "parent": None}]}


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the machine's own: no key, no netrc, no proxy."""
    for name in (
        "ASKEW_API_KEY",
        "NETRC",
        "http_proxy",
        "HTTP_PROXY",
        "https_proxy",
        "HTTPS_PROXY",
        "no_proxy",
        "NO_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def collected(url: str, redactor: Redactor | None = None) -> Evidence:
    scheme, _, target = url.partition(":")
    return COLLECTOR.collect(Request(uri=url, scheme=scheme, target=target), redactor or Redactor())


@contextmanager
def raw(behave: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does with each connection what ``behave`` does."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(0.05)
    done = threading.Event()
    workers: list[threading.Thread] = []

    def serve(connection: socket.socket) -> None:
        with connection:
            connection.settimeout(5)
            try:
                connection.recv(65536)
                behave(connection)
            except OSError:
                pass

    def accept() -> None:
        while not done.is_set():
            try:
                connection, _ = listening.accept()
            except TimeoutError:
                continue
            worker = threading.Thread(target=serve, args=(connection,))
            worker.start()
            workers.append(worker)

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        done.set()
        accepting.join()
        listening.close()
        for worker in workers:
            worker.join()


def asked(url: str, *, total: float = 2.0, answer: float = 0.6) -> tuple[Evidence | None, tuple[str, ...], float]:
    """What a short-tempered transport makes of a server: the reasons, and how long it took."""
    started = time.monotonic()
    found = ask(Transport(address(url, {}), total=total, answer=answer).get, Redactor(), url)
    return None, tuple(f"{one.name}: {one.why}" for one in found.refused), time.monotonic() - started


# What a good endpoint gives


def test_answers_are_documents_under_their_urls_and_the_questions_are_listed() -> None:
    with serving({"/v1/models": as_json(MODELS), "/version": as_json({"version": "0.32.0"})}) as server:
        evidence = collected(server.url)
    assert evidence.platform == "endpoint"
    assert {document.source for document in evidence.documents} == {f"{server.url}/v1/models", f"{server.url}/version"}
    listed = next(text for text in evidence.texts if text.source == f"{server.url}#asked")
    assert "GET /v1/models 200" in listed.text.splitlines()
    (document,) = (one for one in evidence.documents if one.source.endswith("/v1/models"))
    where = document.root["data"][0]["root"].location
    assert str(where) == f"{server.url}/v1/models data[0].root"


def test_a_recognised_engine_that_refuses_a_question_is_partial_and_says_what_is_missed() -> None:
    with serving({"/v1/models": as_json(MODELS), "/version": as_json({"version": "0.32.0"})}) as server:
        evidence = collected(server.url)
    assert evidence.status == "partial"
    assert "VLLM_SERVER_DEV_MODE=1" in evidence.reason and "404" in evidence.reason
    assert evidence.errors == ()


def test_a_recognised_engine_that_answers_all_is_complete() -> None:
    answers = {
        "/v1/models": as_json(MODELS),
        "/version": as_json({"version": "0.32.0"}),
        "/server_info?config_format=json": as_json({"vllm_config": {"model_config": {"dtype": "torch.float16"}}}),
        "/metrics": as_text("# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running 1.0\n"),
    }
    with serving(answers) as server:
        evidence = collected(server.url)
    assert (evidence.status, evidence.reason) == ("complete", "")
    assert any(text.source == f"{server.url}/metrics" for text in evidence.texts)


def test_only_what_changes_nothing_is_asked() -> None:
    with serving({}) as server:
        collected(server.url)
    assert server.questions
    for question in server.questions:
        method, _, path = question.rpartition(" ")
        assert not method or path in ("/v2/repository/index", "/api/show"), question
    assert len(server.questions) <= 40


def test_an_unknown_server_is_partial_and_says_so() -> None:
    models = {"object": "list", "data": [{"id": "house-model", "owned_by": "acme"}]}
    with serving({"/v1/models": as_json(models)}) as server:
        evidence = collected(server.url)
    assert evidence.status == "partial"
    assert "no engine that this build knows" in evidence.reason


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/", "/v1/models", "/v1/chat/completions"])
def test_the_base_url_of_clients_names_the_server(suffix: str) -> None:
    with serving({"/v1/models": as_json(MODELS)}) as server:
        assert collected(server.url + suffix).uri == server.url
    assert "/v1/models" in server.questions


def test_a_path_before_the_interface_is_kept() -> None:
    with serving({"/llm/v1/models": as_json(MODELS)}) as server:
        evidence = collected(f"{server.url}/llm/v1")
    assert [document.source for document in evidence.documents] == [f"{server.url}/llm/v1/models"]


# Credentials


def test_a_key_from_the_environment_is_sent_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASKEW_API_KEY", SECRET)
    with serving({"/v1/models": as_json(MODELS)}) as server:
        evidence = collected(server.url)
    assert {one["Authorization"] for one in server.headers} == {f"Bearer {SECRET}"}
    assert SECRET not in shown(evidence)


def test_a_password_of_the_url_is_sent_and_never_shown() -> None:
    with serving({"/v1/models": as_json(MODELS)}) as server:
        evidence = collected(server.url.replace("//", f"//ops:{SECRET}@"))
    assert all(one["Authorization"].startswith("Basic ") for one in server.headers)
    assert SECRET not in shown(evidence)


def test_netrc_is_read_for_this_host_alone(tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login ops password {SECRET}\n", encoding="utf-8")
    os.chmod(tmp_path / ".netrc", 0o600)
    with serving({"/v1/models": as_json(MODELS)}) as server:
        evidence = collected(server.url)
    assert all(one["Authorization"].startswith("Basic ") for one in server.headers)
    assert SECRET not in shown(evidence)
    (tmp_path / ".netrc").write_text(f"default login ops password {SECRET}\n", encoding="utf-8")
    with serving({"/v1/models": as_json(MODELS)}) as server:
        collected(server.url)
    assert not any("Authorization" in one for one in server.headers)


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http://host:port",
        "http://[::1",
        "http://user@host",
        "http://host/?key=1",
        "http://ho st",
        "http://h:99999",
    ],
)
def test_a_url_that_names_no_endpoint_fails_with_a_hint(url: str) -> None:
    evidence = collected(url)
    assert evidence.status == "failed"
    assert evidence.errors[0].hint


@pytest.mark.parametrize("user", [f"{SECRET}", f"ops:{SECRET}", f"ops:{SECRET}@x"])
def test_what_stands_before_the_host_is_never_shown(user: str) -> None:
    for url in (f"http://{user}@127.0.0.1:1", f"http://{user}@127.0.0.1:1/?x=1", f"http://{user}@[::1"):
        evidence = collected(url)
        assert evidence.status == "failed"
        assert SECRET not in shown(evidence)


def test_a_key_that_no_header_can_hold_is_not_echoed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASKEW_API_KEY", f"{SECRET}\r\nX: 1")
    evidence = collected("http://127.0.0.1:1")
    assert evidence.status == "failed" and SECRET not in shown(evidence)


def shown(evidence: Evidence) -> str:
    """Everything that anybody could show of it."""
    parts = [evidence.uri, evidence.reason, *(str(error) for error in evidence.errors)]
    parts += [f"{text.source} {text.text}" for text in evidence.texts]
    parts += [f"{document.source} {document.root.value!r}" for document in evidence.documents]
    return "\n".join(parts)


def test_secrets_in_answers_are_redacted() -> None:
    config = {
        "model_config": {"model": "org/m", "hf_token": SECRET},
        "launch_command": f"--model org/m --api-key {SECRET}",
        "url": f"https://ops:{SECRET}@host/x",
    }
    answers = {
        "/v1/models": as_json(MODELS),
        "/version": as_json({"version": "0.32.0", "api_key": SECRET}),
        "/server_info?config_format=json": as_json(
            {
                "vllm_config": config,
                "vllm_env": {"HF_TOKEN": SECRET},
                "system_env": {"env_vars": f"HF_TOKEN={SECRET}\n"},
            }
        ),
        "/metrics": as_text(f'# TYPE a gauge\na{{url="http://u:{SECRET}@h/"}} 1\n'),
    }
    with serving(answers) as server:
        evidence = collected(server.url)
    assert len(evidence.documents) == 3
    assert SECRET not in shown(evidence)


def test_secrets_in_a_configuration_that_is_text_are_redacted() -> None:
    text = f"model='org/m', hf_token='{SECRET}', dtype=torch.bfloat16"
    answers = {"/v1/models": as_json(MODELS), "/server_info?config_format=json": as_json({"vllm_config": text})}
    with serving(answers) as server:
        assert SECRET not in shown(collected(server.url))


# Bad endpoints


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    started = time.monotonic()
    evidence = collected(f"http://127.0.0.1:{port}")
    assert time.monotonic() - started < 3
    assert evidence.status == "failed" and "no connection" in evidence.reason
    assert evidence.errors[0].hint


def test_a_name_that_nobody_knows() -> None:
    evidence = collected("http://no-such-host.invalid:8000")
    assert evidence.status == "failed" and evidence.errors[0].hint


def test_a_server_that_hangs_is_given_up() -> None:
    with raw(lambda connection: time.sleep(1.5)) as url:
        _, reasons, took = asked(url)
    assert took < 2.5
    assert any("no whole answer" in one for one in reasons)


def test_a_server_that_drips_headers_is_given_up() -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        for _ in range(30):
            connection.sendall(b"X")
            time.sleep(0.05)

    with raw(drip) as url:
        _, reasons, took = asked(url)
    assert took < 2.5 and any("no whole answer" in one for one in reasons)


def test_a_server_that_streams_forever_is_given_up() -> None:
    def stream(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(60):
            connection.sendall(b"5\r\ndata:\r\n")
            time.sleep(0.03)

    with raw(stream) as url:
        _, reasons, took = asked(url)
    assert took < 3 and any("no whole answer" in one for one in reasons)


def test_an_answer_without_end_is_cut_at_its_bound() -> None:
    def pour(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(MAX_BYTES // 65536 + 8):
            connection.sendall(b"x" * 65536)

    with raw(pour) as url:
        _, reasons, _ = asked(url, total=6, answer=4)
    assert any("more than" in one for one in reasons)


def test_a_packed_bomb_is_cut_at_its_bound() -> None:
    bomb = gzip.compress(b"0" * (64 * 2**20))
    with serving({"/v1/models": Answer(200, bomb, (("Content-Encoding", "gzip"),))}) as server:
        evidence = collected(server.url)
    assert evidence.status == "failed"


def test_a_packed_answer_is_read() -> None:
    import json

    packed = gzip.compress(json.dumps(MODELS).encode())
    headers = (("Content-Encoding", "gzip"), ("Content-Type", "application/json"))
    with serving({"/v1/models": Answer(200, packed, headers)}) as server:
        assert len(collected(server.url).documents) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b'HTTP/1.1 200 OK\r\nContent-Length: 999\r\nContent-Type: application/json\r\n\r\n{"data": [',
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\nxxxx",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nno gzip",
        b"HTTP/1.1 9999 ??\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 50,
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x15\x03\x01\x00\x02\x02\x0a",
        b"",
        b"\x00" * 3000,
    ],
)
def test_garbage_is_a_clear_failure(answer: bytes) -> None:
    with raw(lambda connection: connection.sendall(answer)) as url:
        evidence = collected(url)
    assert evidence.status == "failed"
    assert evidence.errors[0].message and evidence.errors[0].hint


@pytest.mark.parametrize(
    "body",
    [
        b'{"data": ' + b"[" * 100_000,
        b"[" * 5_000_000,
        b'{"a": 1} {"b": 2}',
        b'{"a": nonsense}',
        b"\xff\xfe\x00",
        b"\x00\x01",
        b"   ",
        b'{"a": "' + b"\\ud800" + b'"}',
        b'{"a": 1e999999, "b": ' + b"9" * 5000 + b"}",
    ],
)
def test_a_body_that_is_no_answer_never_raises(body: bytes) -> None:
    with serving({"/v1/models": Answer(200, body, (("Content-Type", "application/json"),))}) as server:
        evidence = collected(server.url)
    assert evidence.status in ("failed", "partial")


def test_a_login_page_is_no_answer() -> None:
    page = as_text("<!DOCTYPE html>\n<html><title>Sign in</title></html>", media="text/html")
    with serving({}, missing=page) as server:
        evidence = collected(server.url)
    assert evidence.status == "failed" and "web page" in evidence.reason


def test_a_page_of_comments_costs_what_it_is_long() -> None:
    page = as_text("<!---->" * 200_000 + "x", media="text/html")
    before = time.monotonic()
    with serving({}, missing=page) as server:
        assert collected(server.url).documents == ()
    assert time.monotonic() - before < 20


@pytest.mark.parametrize(
    ("status", "word"), [(401, "credentials"), (403, "may not"), (404, "no such path"), (500, "500")]
)
def test_a_server_that_refuses_everything_fails_and_says_why(status: int, word: str) -> None:
    with serving({}, missing=as_json({"error": "no"}, status)) as server:
        evidence = collected(server.url)
    assert evidence.status == "failed" and word in evidence.reason
    assert evidence.errors[0].hint
    if status in (401, 403):
        assert "ASKEW_API_KEY" in evidence.errors[0].hint


def test_a_redirect_on_the_same_host_is_followed() -> None:
    moved = Answer(307, b"", (("Location", "/api/v1/models"),))
    with serving({"/v1/models": moved, "/api/v1/models": as_json(MODELS)}) as server:
        evidence = collected(server.url)
    assert [document.source for document in evidence.documents] == [f"{server.url}/v1/models"]


def test_a_redirect_elsewhere_is_reported_and_never_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASKEW_API_KEY", SECRET)
    with serving({}) as other:
        moved = Answer(302, b"", (("Location", f"{other.url}/login?next={SECRET}"),))
        with serving({}, missing=moved) as server:
            evidence = collected(server.url)
    assert other.questions == []
    assert f"{other.url}/login" in evidence.reason
    assert SECRET not in shown(evidence)


@pytest.mark.parametrize("target", ["http://[::1", "ftp://elsewhere/", "//me:canary@elsewhere", "http://127.0.0.1:x/"])
def test_a_redirect_to_what_is_no_url_never_raises(target: str) -> None:
    with serving({}, missing=Answer(302, b"", (("Location", target),))) as server:
        evidence = collected(server.url)
    assert evidence.status == "failed" and "sends elsewhere" in evidence.reason
    assert "canary" not in repr(evidence)


def test_redirects_in_a_circle_end() -> None:
    with serving({}, missing=Answer(302, b"", (("Location", "/x"),))) as server:
        evidence = collected(server.url)
    assert evidence.status == "failed" and "redirects" in evidence.reason


def test_one_bad_answer_does_not_lose_the_others() -> None:
    answers = {
        "/v1/models": as_json(MODELS),
        "/version": Answer(200, b"{broken", (("Content-Type", "application/json"),)),
    }
    with serving(answers) as server:
        evidence = collected(server.url)
    assert evidence.status == "partial" and len(evidence.documents) == 1
    assert "/version" in evidence.reason


def test_https_to_a_port_without_tls_says_so() -> None:
    with serving({}) as server:
        evidence = collected(server.url.replace("http:", "https:"))
    assert evidence.status == "failed" and "http://" in evidence.errors[0].hint


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that nobody signed but itself, with its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl on PATH, to make a certificate")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    words = [
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=127.0.0.1",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
    ]
    key = path.with_suffix(".key")
    subprocess.run(
        [openssl, *words, "-keyout", str(key), "-out", str(path)], check=True, capture_output=True, timeout=60
    )
    return path


@contextmanager
def over_tls(certificate: Path) -> Iterator[str]:
    """A vLLM behind TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    with serving({"/v1/models": as_json(MODELS)}, context=context) as server:
        yield server.url


def test_a_certificate_that_nobody_trusts_is_refused(certificate: Path) -> None:
    with over_tls(certificate) as url:
        evidence = collected(url)
    assert evidence.status == "failed" and "not trusted" in evidence.reason
    assert "SSL_CERT_FILE" in evidence.errors[0].hint


def test_the_authority_of_the_environment_is_trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with over_tls(certificate) as url:
        assert len(collected(url).documents) == 1


def test_a_proxy_is_used_and_not_for_hosts_that_need_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving({"http://llm.example:8000/v1/models": as_json(MODELS)}) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.replace("//", "//me:pw@"))
        evidence = collected("http://llm.example:8000")
        assert [document.source for document in evidence.documents] == ["http://llm.example:8000/v1/models"]
        assert all("Proxy-Authorization" in one for one in proxy.headers)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        before = len(proxy.questions)
        with serving({"/v1/models": as_json(MODELS)}) as server:
            assert collected(server.url).documents
        assert len(proxy.questions) == before


@pytest.mark.parametrize("named", ["http://me:canary@proxy:port", "http://[::1", "socks5://me:canary@proxy:1080"])
def test_a_proxy_that_is_none_is_a_clear_failure(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    monkeypatch.setenv("http_proxy", named)
    evidence = collected("http://llm.example:8000")
    assert evidence.status == "failed" and "HTTP_PROXY" in evidence.reason and evidence.errors[0].hint
    assert "canary" not in repr(evidence)


def test_no_proxy_is_asked_for_what_this_machine_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving({"/v1/models": as_json(MODELS)}) as server, serving({}) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert collected(server.url).documents and not proxy.questions


def test_parts_that_a_server_names_cannot_become_other_paths() -> None:
    index = [{"name": "../../v2/repository/models/x/unload", "state": "READY"}, {"name": "a b?c#d", "state": "READY"}]
    with serving(
        {"/v2": as_json({"name": "triton", "version": "2.51.0"}), "POST /v2/repository/index": as_json(index)}
    ) as server:
        collected(server.url)
    named = [question for question in server.questions if question.startswith("/v2/models/")]
    assert named == [
        "/v2/models/..%2F..%2Fv2%2Frepository%2Fmodels%2Fx%2Funload/config",
        "/v2/models/a%20b%3Fc%23d/config",
    ]


def test_addresses_are_read_and_shown_without_credentials() -> None:
    found = address("https://u:p%40ss@Host.example/x/v1/", {})
    assert (found.shown, found.port, found.prefix) == ("https://host.example/x", 443, "/x")
    assert address("http://[::1]:8000", {}).shown == "http://[::1]:8000"
    with pytest.raises(AddressError):
        address("http://u@host", {})
