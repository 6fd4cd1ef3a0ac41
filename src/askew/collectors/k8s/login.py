"""Credentials of a context: certificates, tokens, plug-ins. They are held here and go nowhere but to the API server."""

from __future__ import annotations

import base64
import binascii
import os
import re
import ssl
import time
from typing import NoReturn

import msgspec

from askew.collectors import tools
from askew.collectors.connections import basic
from askew.collectors.k8s.access import Access, AccessError, Exec, User

_SECONDS = 60.0
_MOST_OUTPUT = 4 * 2**20
_LOG_IN = "log in again with your provider's tool; kubectl get --raw /version then works too"
# What may be a credential in what a plug-in complains: any long word that is no path of short names.
_LONG_WORD = re.compile(r"[A-Za-z0-9+=_.-]{25,}")
_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")


class _Status(msgspec.Struct, rename="camel"):
    token: str = ""
    client_certificate_data: str = ""
    client_key_data: str = ""


class _Credential(msgspec.Struct, rename="camel"):
    api_version: str = ""
    kind: str = ""
    status: _Status | None = None


class Login:
    """How requests of one context authenticate. ``renew`` asks anew for what may have expired."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._token = ""
        self._certificate: tuple[bytes, bytes] | None = None
        self._load()

    def __repr__(self) -> str:
        return f"<Login {self._access.context}>"

    def headers(self) -> dict[str, str]:
        """The header that authenticates; none where a certificate does, or nothing."""
        user = self._access.user
        if self._token:
            return {"Authorization": f"Bearer {self._token}"}
        if user.username:
            return {"Authorization": basic(user.username, user.password)}
        return {}

    def renew(self) -> bool:
        """Ask the plug-in, or read the file of a token, again; False where there is nothing that could be newer."""
        before = self._token, self._certificate
        if self._access.user.exec is None and not self._access.user.token_file:
            return False
        self._load()
        return (self._token, self._certificate) != before

    def context(self) -> ssl.SSLContext:
        """How TLS is spoken: whom to trust, and the client's certificate. Raises AccessError."""
        cluster, where = self._access.cluster, f"the cluster of the context '{self._access.context}'"
        if cluster.insecure_skip_tls_verify:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        else:
            data = self._file_or_data(
                cluster.certificate_authority, cluster.certificate_authority_data, self._access.cluster_folder, where
            )
            try:
                context = ssl.create_default_context(cadata=data.decode("ascii", "ignore") if data else None)
            except (ssl.SSLError, ValueError):
                raise AccessError(f"the certificate authority of {where} is not valid PEM", _LOG_IN) from None
        if self._certificate is not None:
            _load_chain(context, *self._certificate, self._access.context)
        return context

    def _load(self) -> None:
        user = self._access.user
        who = f"the user of the context '{self._access.context}'"
        folder = self._access.user_folder
        certificate = self._file_or_data(user.client_certificate, user.client_certificate_data, folder, who)
        key = self._file_or_data(user.client_key, user.client_key_data, folder, who)
        if certificate:
            self._certificate = (certificate, key)
        if user.token_file:
            self._token = self._read(os.path.join(folder, user.token_file), who).decode("utf-8", "replace").strip()
        elif user.token:
            self._token = user.token
        elif user.exec is not None:
            self._ask(user.exec)
        elif user.auth_provider is not None:
            self._token = _provided(user)
        if any(ord(char) < 33 or ord(char) > 126 for char in self._token):
            raise AccessError(f"the token of {who} holds characters that no token has", _LOG_IN)

    def _file_or_data(self, path: str, data: str, folder: str, whose: str) -> bytes:
        if data:
            try:
                return base64.b64decode(data, validate=False)
            except (binascii.Error, ValueError):
                raise AccessError(f"a certificate or key of {whose} is not valid base64", _LOG_IN) from None
        return self._read(os.path.join(folder, path), whose) if path else b""

    def _read(self, path: str, whose: str) -> bytes:
        try:
            with open(path, "rb") as file:
                return file.read(2**20)
        except OSError as error:
            raise AccessError(f"{path}, which {whose} names, cannot be read: {error.strerror}", _LOG_IN) from None

    def _ask(self, plugin: Exec) -> None:
        """https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins"""
        name = os.path.basename(plugin.command)
        path = self._program(plugin)
        if plugin.api_version not in _VERSIONS:
            raise AccessError(
                f"the credential plug-in '{name}' speaks {plugin.api_version or 'no named version'}",
                f"expected {' or '.join(_VERSIONS)}: update the plug-in and its entry in kubeconfig",
            )
        if plugin.interactive_mode == "Always":
            raise AccessError(
                f"the credential plug-in '{name}' always asks at the terminal, which is not possible here",
                "log in with kubectl and use a token, or set interactiveMode: IfAvailable",
            )
        env = {**os.environ, **{one.name: one.value for one in plugin.env or ()}}
        env["KUBERNETES_EXEC_INFO"] = self._info(plugin)
        ended = tools.run((path, *(plugin.args or ())), seconds=_SECONDS, env=env, limit=_MOST_OUTPUT)
        if ended.fault or ended.status:
            said = _told(ended.complaint)
            raise AccessError(
                ended.fault or f"the credential plug-in '{name}' failed with status {ended.status}{said}", _LOG_IN
            )
        try:
            credential = msgspec.json.decode(ended.output, type=_Credential)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise AccessError(
                f"the credential plug-in '{name}' answered something else than an ExecCredential", _LOG_IN
            ) from None
        status = credential.status
        if credential.kind != "ExecCredential" or status is None:
            raise AccessError(f"the credential plug-in '{name}' gave no credential", _LOG_IN)
        self._token = status.token
        if status.client_certificate_data:
            self._certificate = (status.client_certificate_data.encode(), status.client_key_data.encode())
        elif not status.token:
            raise AccessError(f"the credential plug-in '{name}' gave neither a token nor a certificate", _LOG_IN)

    def _program(self, plugin: Exec) -> str:
        command = plugin.command
        if not command:
            raise AccessError(
                f"the user of the context '{self._access.context}' has a plug-in without a command", _LOG_IN
            )
        found: str | None
        if os.path.dirname(command):
            found = os.path.join(self._access.user_folder, command)
            found = found if os.access(found, os.X_OK) else None
        else:
            found = tools.find(command)
        if found is None:
            told = " ".join(plugin.install_hint.split())[:300]
            raise AccessError(
                f"the credential plug-in '{command}', which kubeconfig names, is not installed",
                told or "install it, or put it on PATH",
            )
        return found

    def _info(self, plugin: Exec) -> str:
        spec: dict[str, object] = {"interactive": False}
        cluster = self._access.cluster
        if plugin.provide_cluster_info:
            authority = self._file_or_data(
                cluster.certificate_authority,
                cluster.certificate_authority_data,
                self._access.cluster_folder,
                "the cluster",
            )
            about: dict[str, object] = {
                "server": cluster.server,
                "tls-server-name": cluster.tls_server_name,
                "insecure-skip-tls-verify": cluster.insecure_skip_tls_verify,
                "certificate-authority-data": base64.b64encode(authority).decode("ascii"),
                "proxy-url": cluster.proxy_url,
            }
            for one in cluster.extensions or ():
                if isinstance(one, dict) and one.get("name") == "client.authentication.k8s.io/exec":
                    about["config"] = one.get("extension")
            spec["cluster"] = {key: value for key, value in about.items() if value}
        whole = {"kind": "ExecCredential", "apiVersion": plugin.api_version, "spec": spec}
        return msgspec.json.encode(whole).decode()


def _provided(user: User) -> str:
    """The token that a built-in provider of kubectl keeps in kubeconfig. It is not refreshed here: that would have to
    write kubeconfig, since many identity providers take a refresh token only once."""
    provider = user.auth_provider
    config = (provider.config if provider else None) or {}
    name = provider.name if provider else ""
    if name == "oidc":
        token = config.get("id-token", "")
        if not token or _expired(token):
            raise AccessError(
                "the OIDC token in kubeconfig has expired" if token else "kubeconfig holds no OIDC token",
                "kubectl get --raw /version refreshes it; the plug-in kubectl oidc-login does so by itself",
            )
        return token
    if name in ("gcp", "azure"):
        plugin = "gke-gcloud-auth-plugin" if name == "gcp" else "kubelogin"
        raise AccessError(
            f"the credential provider '{name}' was removed from Kubernetes in 1.26",
            f"install {plugin} and log in again",
        )
    raise AccessError(f"'{name}' is no credential provider that is known", _LOG_IN)


def _expired(token: str) -> bool:
    """Whether a JSON web token says that its time is over; what cannot be read is left to the server."""
    parts = token.split(".")
    if len(parts) != 3:
        return False
    try:
        claims = msgspec.json.decode(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, msgspec.DecodeError, RecursionError):
        return False
    expires = claims.get("exp") if isinstance(claims, dict) else None
    return isinstance(expires, (int, float)) and expires < time.time() + 5


def _load_chain(context: ssl.SSLContext, certificate: bytes, key: bytes, name: str) -> None:
    """OpenSSL reads client certificates from files only: they exist for this moment, and for this user alone."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, each) for each in ("certificate", "key")]
        for path, data in zip(paths, (certificate, key or certificate), strict=True):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
        try:
            context.load_cert_chain(paths[0], paths[1], password=_no_password)
        except (ssl.SSLError, OSError, ValueError):
            raise AccessError(
                f"the client certificate of the context '{name}' and its key do not fit, or are not valid PEM", _LOG_IN
            ) from None


def _no_password() -> NoReturn:
    """Without it OpenSSL would ask at the terminal."""
    raise ValueError("the key is encrypted")


def _told(complaint: str) -> str:
    """The last line that a plug-in wrote to stderr, without anything that may be a credential."""
    lines = [line.strip() for line in complaint.splitlines() if line.strip()]
    if not lines:
        return ""
    return ": " + _LONG_WORD.sub("…", lines[-1])[:300]
