"""Image references: registry, repository, tag and digest, in the form that Docker and containerd resolve them to."""

from __future__ import annotations

import re

import msgspec

from askew.facts.values.errors import LONGEST, ValueNotUnderstood

# The grammar of github.com/distribution/reference (regexp.go) and its normalisation (normalize.go).
_HOST = r"(?a)(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::\d{1,5})?"
_COMPONENT = r"(?a)[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_TAG = r"(?a)\w[\w.-]{0,127}"
_DIGEST = r"(?a)(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})"
_TEMPLATE = r"\{\{|\$[({A-Za-z_]|<[^>]*>"
_LONGEST_NAME = 255

_EXAMPLE = "vllm/vllm-openai:v0.8.5"


class ImageReference(msgspec.Struct, frozen=True):
    """An image as the container runtime understands it. `registry` and `repository` are always filled in."""

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @property
    def name(self) -> str:
        """Registry and repository without tag and digest: `docker.io/library/nginx`."""
        return f"{self.registry}/{self.repository}"

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"


def image(text: object) -> ImageReference:
    """Read an image reference: `nginx`, `host:5000/team/x:v1@sha256:…`, or a container status' `docker-pullable://…`.

    A missing registry is docker.io, a missing Docker Hub namespace is library; no tag stays None (`latest` is not
    invented). Raises ValueNotUnderstood for text that no runtime would pull, and for templates that nothing has
    filled in.
    """
    body = text.strip() if isinstance(text, str) else ""
    if not body or len(body) > LONGEST * 2:
        raise _refused(text, "it is empty" if not body else "it is too long")
    if re.search(_TEMPLATE, body):
        raise _refused(text, "it is a template that has not been filled in")
    scheme, found, rest = body.partition("://")
    if found:
        if scheme not in ("docker-pullable", "docker", "containerd", "cri-o"):
            raise _refused(text, f"{scheme}:// names no image")
        body = rest
    body, at, digest = body.partition("@")
    if at and not re.fullmatch(_DIGEST, digest):
        raise _refused(text, "the part after @ is no digest (sha256: and 64 lower-case hex digits)")
    if re.fullmatch(_DIGEST, body):
        raise _refused(text, "a bare digest names no repository")
    slash, colon = body.rfind("/"), body.rfind(":")
    tag = None
    if colon > slash:
        body, tag = body[:colon], body[colon + 1 :]
        if not re.fullmatch(_TAG, tag):
            raise _refused(text, f"{tag!r} is no tag")
    registry, repository = _split(body, text)
    return ImageReference(registry, repository, tag, digest or None)


def _split(body: str, text: object) -> tuple[str, str]:
    first, slash, rest = body.partition("/")
    registry, repository = "docker.io", body
    if slash and ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        if not re.fullmatch(_HOST, first):
            raise _refused(text, f"{first!r} is no registry host")
        registry, repository = first.lower(), rest
    if registry == "index.docker.io":
        registry = "docker.io"
    for component in repository.split("/"):
        if not re.fullmatch(_COMPONENT, component):
            lower = component != component.lower() and re.fullmatch(_COMPONENT, component.lower())
            raise _refused(
                text, "a repository is lower case" if lower else f"{component!r} is no part of a repository name"
            )
    if registry == "docker.io" and "/" not in repository:
        repository = f"library/{repository}"
    if len(registry) + 1 + len(repository) > _LONGEST_NAME:
        raise _refused(text, f"a name has at most {_LONGEST_NAME} characters")
    return registry, repository


def _refused(text: object, why: str) -> ValueNotUnderstood:
    return ValueNotUnderstood(text, "an image reference", _EXAMPLE, why)
