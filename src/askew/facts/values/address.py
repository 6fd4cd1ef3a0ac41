"""Hosts and ports in the addresses that people write."""

from __future__ import annotations

import re

_ADDRESS = re.compile(r"(?:[a-zA-Z][\w+.-]*://)?(?:[^/@\s]*@)?(\[[0-9a-fA-F:.]+\]|[\w.-]+)(?::(\d{1,5}))?(?=[/?#]|$)")


def host_and_port(text: str) -> tuple[str, int | None] | None:
    """``http://llm.prod.svc:8000/v1`` gives ``("llm.prod.svc", 8000)``; the port is that of the scheme where none is
    written, else None. None for what is no address."""
    match = _ADDRESS.match(text.strip())
    if match is None:
        return None
    port = int(match[2]) if match[2] else {"http": 80, "https": 443}.get(text.partition("://")[0].lower())
    return match[1].lower(), port
