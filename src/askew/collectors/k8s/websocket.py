"""Runs a command in a container through the API server, over a WebSocket.

RFC 6455 as far as a server uses it, and the channels of Kubernetes: the first byte of a message says whether it is
output (1), complaints (2) or how the command ended (3). Nothing is sent to the command.
https://github.com/kubernetes/kubernetes/blob/v1.34.0/staging/src/k8s.io/apimachinery/pkg/util/remotecommand/constants.go
"""

from __future__ import annotations

import base64
import hashlib
import os
import struct
from collections.abc import Sequence
from typing import BinaryIO
from urllib.parse import quote

import msgspec

from askew.collectors.k8s.server import RequestError, Server
from askew.collectors.k8s.transport import Connection

_PROTOCOLS = "v5.channel.k8s.io, v4.channel.k8s.io"
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_MOST_FRAME = 16 * 2**20
_STDOUT, _STDERR, _ENDED = 1, 2, 3
_CONTINUED, _CLOSE, _PING = 0, 8, 9


class Ran(msgspec.Struct, frozen=True):
    """What a command printed. ``fault`` says why it did not run, or not to its end."""

    output: bytes
    complaint: bytes = b""
    fault: str = ""


class _Ended(msgspec.Struct):
    status: str = ""
    reason: str = ""
    message: str = ""


def run(server: Server, path: str, container: str, words: Sequence[str], *, seconds: float, limit: int) -> Ran:
    """Run ``words`` in a container of the pod at ``path`` (``/api/v1/namespaces/NS/pods/POD``). What it printed before
    ``seconds`` or ``limit`` bytes were over counts. Raises RequestError where it was not started."""
    query = "&".join(
        (f"container={quote(container)}", "stdout=true", "stderr=true", *(f"command={quote(word)}" for word in words))
    )
    key = base64.b64encode(os.urandom(16)).decode("ascii")
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Protocol": _PROTOCOLS,
    }
    connection, answer, stream = server.upgrade(f"{path}/exec", query, headers, seconds)
    try:
        proof = base64.b64encode(hashlib.sha1((key + _GUID).encode(), usedforsecurity=False).digest()).decode("ascii")
        if answer.get("sec-websocket-accept") != proof:
            raise RequestError(0, "what answered speaks no WebSocket")
        return _listen(connection, stream, limit)
    finally:
        connection.close()


def _listen(connection: Connection, stream: BinaryIO, limit: int) -> Ran:
    output, complaint = bytearray(), bytearray()
    message = bytearray()
    try:
        while True:
            last, opcode, data = _frame(stream)
            if opcode == _CLOSE:
                return Ran(bytes(output), bytes(complaint), "" if output else "it ended without a word")
            if opcode == _PING:
                connection.sock.sendall(_pong(data))
                continue
            if opcode > 2:
                continue
            if opcode != _CONTINUED:
                message.clear()
            message += data
            if not last:
                if len(message) > _MOST_FRAME:
                    return Ran(bytes(output), bytes(complaint), "a message has no end")
                continue
            channel, part = (message[0], bytes(message[1:])) if message else (0, b"")
            message.clear()
            if channel == _STDOUT:
                output += part
            elif channel == _STDERR and len(complaint) < 16 * 1024:
                complaint += part
            elif channel == _ENDED:
                return Ran(bytes(output[:limit]), bytes(complaint), _fault(part))
            if len(output) >= limit:
                return Ran(bytes(output[:limit]), bytes(complaint), f"only the first {limit:,} bytes were read")
    except TimeoutError:
        return Ran(bytes(output[:limit]), bytes(complaint), "it did not end in time")
    except (OSError, EOFError, ValueError) as error:
        return Ran(bytes(output[:limit]), bytes(complaint), str(error)[:200] or "the connection was closed")


def _frame(stream: BinaryIO) -> tuple[bool, int, bytes]:
    """One frame: whether it is the last of its message, what it is, and its payload."""
    first, second = _exactly(stream, 2)
    length = second & 0x7F
    if length == 126:
        (length,) = struct.unpack(">H", _exactly(stream, 2))
    elif length == 127:
        (length,) = struct.unpack(">Q", _exactly(stream, 8))
    if length > _MOST_FRAME:
        raise ValueError(f"a message of {length:,} bytes was announced")
    if second & 0x80:
        raise ValueError("what answered speaks no WebSocket")  # a server never masks
    return bool(first & 0x80), first & 0x0F, _exactly(stream, length)


def _exactly(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError("the connection was closed")
    return data


def _pong(data: bytes) -> bytes:
    """What a client sends is masked."""
    data = data[:125]
    mask = os.urandom(4)
    return bytes((0x8A, 0x80 | len(data))) + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))


def _fault(part: bytes) -> str:
    """How the command ended: a Status. That a command fails is no fault: what it printed counts."""
    try:
        ended = msgspec.json.decode(part, type=_Ended)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    if ended.status == "Success" or ended.reason == "NonZeroExitCode":
        return ""
    return ended.message[:300] or "the command could not be started"
