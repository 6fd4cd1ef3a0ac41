"""What the user points at, parsed: ``deploy.yaml``, ``git:HEAD~3:deploy.yaml``, ``a.yaml+cmd:vllm serve m``."""

from __future__ import annotations

import os
import re

from askew.app import registry
from askew.app.errors import UsageError
from askew.collectors.interface import Request

_SCHEME = re.compile(r"([a-z][a-z0-9-]*):")
# Named in the design, with the sentence a user gets until a collector for it is installed.
_KNOWN_ELSEWHERE = ("bench",)

# Schemes whose URIs end in options: k8s:prod/deployment/llm?logs=on.
_WITH_OPTIONS = (
    "helm", "kustomize", "hf", "s3", "gs", "az", "abfs", "k8s", "helm-release", "docker", "pid", "log", "metrics",
    "bundle", "prometheus", "dry-run",
)  # fmt: skip


def parse(text: str) -> tuple[Request, ...]:
    """The requests of one source argument, in order.

    ``+`` joins sources that describe one workload; it splits only before a known scheme or an existing path, and
    ``cmd:`` takes the rest. Raises UsageError for an empty argument or an unknown scheme.
    """
    if not text:
        raise UsageError(
            "an empty source was given", "name a file, a directory, '-' or a URI such as git:HEAD~1:deploy.yaml"
        )
    return tuple(_request(part) for part in _split(text))


def _split(text: str) -> list[str]:
    parts: list[str] = []
    start = 0
    while not text.startswith("cmd:", start):
        at = start
        while (at := text.find("+", at)) != -1:
            rest = text[at + 1 :]
            if _has_known_scheme(rest) or (rest and os.path.exists(rest.split("+", 1)[0])):
                break
            at += 1
        if at == -1:
            break
        parts.append(text[start:at])
        start = at + 1
    parts.append(text[start:])
    return parts


def _has_known_scheme(text: str) -> bool:
    match = _SCHEME.match(text)
    return match is not None and (match[1] in registry.schemes() or match[1] in _KNOWN_ELSEWHERE)


def _request(text: str) -> Request:
    match = _SCHEME.match(text)
    if match is None or os.path.exists(text):
        if text.endswith(".tar.gz") and os.path.isfile(text):
            return Request(uri=text, scheme="bundle", target=text)
        model = os.path.isfile(os.path.join(text, "MLmodel"))
        return Request(uri=text, scheme="mlflow" if model else "", target=text)
    scheme = match[1]
    if scheme in registry.schemes():
        rest = text[match.end() :]
        target, _, query = rest.partition("?") if scheme in _WITH_OPTIONS else (rest, "", "")
        options = tuple((key, value) for key, _, value in (part.partition("=") for part in query.split("&") if part))
        return Request(uri=text, scheme=scheme, target=target, options=options)
    known = ", ".join(f"{name}:" for name in registry.schemes())
    raise UsageError(
        f"{text}: no collector for '{scheme}:' is installed", f"these are: {known}; or give a path, or '-' for stdin"
    )
