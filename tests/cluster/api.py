"""The Kubernetes API over the standard library, for tests to write with: JSON in, JSON out."""

from __future__ import annotations

import json
import ssl
from http.client import HTTPSConnection
from typing import Any
from urllib.parse import urlsplit


class ApiError(Exception):
    """An answer that is not a success: ``code`` and the server's message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Api:
    """One server as one user. Every call opens a connection and closes it: tests leave no socket behind."""

    def __init__(self, url: str, ca: str, *, token: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port
        self._tls = ssl.create_default_context(cafile=ca)
        self._token = token

    def get(self, path: str) -> dict[str, Any]:
        return json.loads(self.text(path))

    def items(self, path: str) -> list[dict[str, Any]]:
        """The items of a list that fits one page."""
        return self.get(path)["items"]

    def post(self, path: str, body: object) -> dict[str, Any]:
        return json.loads(self._call("POST", path, body, "application/json"))

    def put(self, path: str, body: object) -> dict[str, Any]:
        return json.loads(self._call("PUT", path, body, "application/json"))

    def patch(self, path: str, body: object, kind: str = "strategic-merge-patch+json") -> dict[str, Any]:
        """``kind`` is the patch's media type without ``application/``: merge-patch+json, json-patch+json, ..."""
        return json.loads(self._call("PATCH", path, body, f"application/{kind}"))

    def apply(self, path: str, body: object, manager: str = "deployer") -> dict[str, Any]:
        """Server-side apply, as ``kubectl apply --server-side --field-manager`` sends it (JSON is YAML)."""
        query = f"?fieldManager={manager}&force=true"
        return json.loads(self._call("PATCH", path + query, body, "application/apply-patch+yaml"))

    def delete(self, path: str, body: object = None) -> dict[str, Any]:
        return json.loads(self._call("DELETE", path, body or {}, "application/json"))

    def text(self, path: str) -> str:
        return self._call("GET", path, None, "")

    def _call(self, method: str, path: str, body: object, media: str) -> str:
        connection = HTTPSConnection(self._host, self._port, timeout=30, context=self._tls)
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json, text/plain;q=0.5"}
        try:
            if body is None:
                connection.request(method, path, headers=headers)
            else:
                connection.request(method, path, json.dumps(body), {**headers, "Content-Type": media})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status >= 300:
            try:
                message = json.loads(text)["message"]
            except (ValueError, KeyError, TypeError):
                message = text[:200]
            raise ApiError(answer.status, message)
        return text
