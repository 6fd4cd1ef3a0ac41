"""Who to ask and as whom, as kubectl would: kubeconfig files, or the service account of the pod that this runs in.

Written here rather than taken from a client library. Of the two that were looked at, the official one (kubernetes
37.0.2) takes the current context from the last of several files where kubectl takes the first, so that another cluster
is asked; hides why a plug-in failed, and waits for it without end; refreshes OIDC tokens over unchecked TLS where no
authority is named; and is 126 MB with 25 further packages. The other (lightkube 1.0.1) reads one file, and knows no
proxies, no TLS server names and not version 1 of the plug-in interface.
Rules: https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/ and
https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TypeVar, cast

import msgspec

_T = TypeVar("_T")

IN_CLUSTER = "in-cluster"
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_DEFAULT = os.path.join("~", ".kube", "config")
_MOST_BYTES = 8 * 2**20
_MORE = "kubectl config get-contexts lists what there is"


class AccessError(Exception):
    """The cluster cannot be asked: why, and what to do. Neither text holds a credential."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ExecVariable(msgspec.Struct, frozen=True):
    """A variable of a plug-in."""

    name: str = ""
    value: str = ""


class Exec(msgspec.Struct, frozen=True, rename="camel"):
    """A credential plug-in, as kubeconfig declares it."""

    command: str = ""
    args: list[str] | None = None
    env: list[ExecVariable] | None = None
    api_version: str = ""
    install_hint: str = ""
    provide_cluster_info: bool = False
    interactive_mode: str = ""


class Provider(msgspec.Struct, frozen=True):
    """A credential provider that was built into kubectl once; ``oidc`` still is."""

    name: str = ""
    config: Mapping[str, str] | None = None


class User(msgspec.Struct, frozen=True, rename="kebab"):
    """How to log in. Never printed: it holds credentials."""

    client_certificate: str = ""
    client_certificate_data: str = ""
    client_key: str = ""
    client_key_data: str = ""
    token: str = ""
    token_file: str = msgspec.field(default="", name="tokenFile")
    username: str = ""
    password: str = ""
    impersonate: str = msgspec.field(default="", name="as")
    impersonate_groups: list[str] | None = msgspec.field(default=None, name="as-groups")
    impersonate_uid: str = msgspec.field(default="", name="as-uid")
    exec: Exec | None = None
    auth_provider: Provider | None = None

    def __repr__(self) -> str:
        return "<User>"


class Cluster(msgspec.Struct, frozen=True, rename="kebab"):
    """Where the API server is."""

    server: str = ""
    certificate_authority: str = ""
    certificate_authority_data: str = ""
    insecure_skip_tls_verify: bool = False
    tls_server_name: str = ""
    proxy_url: str = ""
    extensions: list[object] | None = None


class _Context(msgspec.Struct, frozen=True):
    cluster: str = ""
    user: str = ""
    namespace: str = ""


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """A context, resolved. ``cluster_folder`` and ``user_folder`` are what relative paths of each start from."""

    context: str
    namespace: str
    cluster: Cluster
    user: User
    cluster_folder: str = ""
    user_folder: str = ""

    def __repr__(self) -> str:
        return f"<Access {self.context}>"


class _Entry(msgspec.Struct):
    """What one file says under one name."""

    value: object
    folder: str
    path: str


class _Merged:
    """All files together: of one name the first file decides."""

    def __init__(self) -> None:
        self.current = ""
        self.paths: list[str] = []
        self.entries: dict[str, dict[str, _Entry]] = {"clusters": {}, "contexts": {}, "users": {}}

    def add(self, path: str) -> None:
        """Lay a file under what was read before. Raises AccessError where it is no kubeconfig."""
        from askew.evidence.yaml import read

        try:
            with open(path, "rb") as file:
                data = file.read(_MOST_BYTES + 1)
        except FileNotFoundError:
            return
        except OSError as error:
            raise AccessError(f"{path} cannot be read: {error.strerror}", "name another in KUBECONFIG") from None
        self.paths.append(path)
        if len(data) > _MOST_BYTES:
            raise AccessError(f"{path} is no kubeconfig: it is too large", "name another in KUBECONFIG")
        stream = read(data, path, dialect="kubectl")
        root = next((document.root.value for document in stream if document.root.value is not None), None)
        if stream.errors:
            place = stream.errors[0]
            raise AccessError(
                f"{path}:{place.line}: this kubeconfig is not valid YAML", "kubectl config view shows the same"
            )
        if root is None:
            return
        if not isinstance(root, dict):
            raise AccessError(f"{path} is no kubeconfig: expected a mapping", "name another in KUBECONFIG")
        folder = os.path.dirname(os.path.abspath(path))
        current = root.get("current-context")
        self.current = self.current or (current if isinstance(current, str) else "")
        for section, names in self.entries.items():
            listed = root.get(section)
            for each in listed if isinstance(listed, list) else ():
                if isinstance(each, dict) and isinstance(each.get("name"), str):
                    names.setdefault(cast(str, each["name"]), _Entry(each.get(section[:-1]), folder, path))


def contexts() -> tuple[str, ...]:
    """The names of all contexts."""
    return tuple(_merged().entries["contexts"])


def access(context: str = "") -> Access:
    """What a context says; the current one where none is named. Raises AccessError with what to do about it."""
    if context == IN_CLUSTER:
        return _in_cluster()
    merged = _merged()
    name = context or merged.current
    if not name:
        if os.path.exists(os.path.join(ACCOUNT, "token")) and os.environ.get("KUBERNETES_SERVICE_HOST"):
            return _in_cluster()
        if not merged.paths:
            raise AccessError(
                f"there is no kubeconfig: {' and '.join(_paths())} does not exist, and this runs in no pod",
                "set KUBECONFIG, or log in with your provider's tool (aws eks update-kubeconfig, gcloud …)",
            )
        raise AccessError(
            f"{', '.join(merged.paths)} names no current context",
            "kubectl config use-context NAME sets it, or write k8s://CONTEXT/NAMESPACE",
        )
    found = merged.entries["contexts"].get(name)
    if found is None:
        known = ", ".join(list(merged.entries["contexts"])[:8]) or "none"
        raise AccessError(
            f"no context is called '{name}'; there are: {known}", f"{_MORE}; write a slash in a name as %2F"
        )
    chosen = _convert(found, _Context, f"context '{name}'")
    held = merged.entries["clusters"].get(chosen.cluster)
    if held is None:
        raise AccessError(f"the context '{name}' names the cluster '{chosen.cluster}', which is not there", _MORE)
    cluster = _convert(held, Cluster, f"cluster '{chosen.cluster}'")
    if not cluster.server:
        raise AccessError(f"the cluster '{chosen.cluster}' has no server", "kubectl config view shows it")
    login = merged.entries["users"].get(chosen.user)
    if chosen.user and login is None:
        raise AccessError(f"the context '{name}' names the user '{chosen.user}', who is not there", _MORE)
    user = _convert(login, User, f"user '{chosen.user}'") if login is not None else User()
    return Access(
        context=name,
        namespace=chosen.namespace or "default",
        cluster=cluster,
        user=user,
        cluster_folder=held.folder,
        user_folder=login.folder if login is not None else "",
    )


def _paths() -> list[str]:
    named = [path for path in os.environ.get("KUBECONFIG", "").split(os.pathsep) if path]
    return named or [os.path.expanduser(_DEFAULT)]


def _merged() -> _Merged:
    merged = _Merged()
    for path in _paths():
        merged.add(path)
    return merged


def _convert(entry: _Entry, kind: type[_T], what: str) -> _T:
    try:
        return msgspec.convert(_without_nulls(entry.value), kind)
    except msgspec.ValidationError as error:
        # msgspec names the type and the place, never the value.
        raise AccessError(f"{entry.path}: {what} is not as expected: {error}", "kubectl config view shows it") from None


def _without_nulls(value: object) -> object:
    """Null means that nothing is said, as in Go."""
    if isinstance(value, dict):
        return {key: _without_nulls(part) for key, part in value.items() if part is not None}
    return value if value is not None else {}


def _in_cluster() -> Access:
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    token = os.path.join(ACCOUNT, "token")
    if not host or not os.path.exists(token):
        raise AccessError(
            "this runs in no pod with a service account",
            "name a context of your kubeconfig, or let the pod have a token (automountServiceAccountToken)",
        )
    try:
        with open(os.path.join(ACCOUNT, "namespace"), encoding="utf-8") as file:
            namespace = file.read(300).strip()
    except (OSError, UnicodeDecodeError):
        namespace = ""
    return Access(
        context=IN_CLUSTER,
        namespace=namespace or "default",
        cluster=Cluster(
            server=f"https://{f'[{host}]' if ':' in host else host}:{port}",
            certificate_authority=os.path.join(ACCOUNT, "ca.crt"),
        ),
        user=User(token_file=token),
    )
