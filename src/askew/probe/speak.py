"""How each API of a served model is asked for a result, and what of its answer counts.

Sources: https://platform.openai.com/docs/api-reference (chat, completions, embeddings, as vLLM, SGLang, llama.cpp and
others serve them; Infinity has ``/embeddings`` without ``/v1`` unless it is told a prefix,
https://github.com/michaelfeil/infinity), https://huggingface.github.io/text-embeddings-inference/ (tei),
https://kserve.github.io/website/docs/concepts/architecture/data-plane/v1-protocol (v1, which is that of
https://www.tensorflow.org/tfx/serving/api_rest) and v2-protocol (v2), https://pytorch.org/serve/inference_api.html
(torchserve), https://mlflow.org/docs/latest/ml/deployment/ (mlflow)
"""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias, cast, get_args
from urllib.parse import quote

import msgspec

from askew.collectors.asking import Reply
from askew.engines.live import Ask

Api: TypeAlias = Literal["chat", "completions", "embeddings", "tei", "v1", "v2", "torchserve", "mlflow"]
APIS: tuple[str, ...] = get_args(Api)
Json: TypeAlias = object
Send: TypeAlias = Callable[[Ask], Reply]

_TOP = 5  # alternatives asked for with each token
_NEVER = -9999.0
_MOST_NUMBERS = 4_000_000
TEXT_APIS = ("chat", "completions")
VECTOR_APIS = ("embeddings", "tei")
_EMBEDDINGS = ("/v1/embeddings", "/embeddings")
_HINTS = {
    401: "set ASKEW_API_KEY, which is sent only to a server that you name",
    403: "set ASKEW_API_KEY to a key that may do this",
    404: "see whether this is the server's address; --model and --api decide the path",
    429: "the server has too many requests: try again when it has fewer",
}


class ProbeError(Exception):
    """A server did not give a result, or an input is none: why, and what to do. ``ends``: nor will it for others."""

    def __init__(self, message: str, hint: str, *, ends: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.ends = ends


class Token(msgspec.Struct, frozen=True):
    """A token of an answer, its log probability, and what else could have stood there, likeliest first."""

    text: str
    logprob: float
    others: list[tuple[str, float]] = []


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What a language model wrote. ``tokens`` is empty where the server does not offer log probabilities."""

    text: str
    finish: str = ""
    tokens: list[Token] = []


class Speaker:
    """Sends inputs for one API to one server and takes the results out of its answers."""

    def __init__(self, send: Send, api: Api, model: str, max_tokens: int) -> None:
        self._send = send
        self.api = api
        self.model = model
        self._max_tokens = max_tokens
        self._logprobs = True
        self._embeddings = _EMBEDDINGS[0]

    def ask(self, given: Json) -> Json:
        """The result for one input, as JSON. Raises ProbeError."""
        if self.api in ("v1", "v2", "mlflow") and not isinstance(given, dict):
            raise ProbeError(f"{self.path} takes a JSON object", "give the body of a request: {…}")
        reply = self._sent(given)
        if reply.status in (400, 422) and self._logprobs and self.api in TEXT_APIS:
            self._logprobs = False  # not every server offers them
            reply = self._sent(given)
        if reply.status in (404, 405) and self.api == "embeddings" and self._embeddings == _EMBEDDINGS[0]:
            self._embeddings = _EMBEDDINGS[1]
            reply = self._sent(given)
        if self.api == "torchserve" and reply.status == 200 and not reply.fault:
            return _anything(reply.body, self.path)
        answer = answered(reply, self.path)
        try:
            return self._result(answer)
        except (KeyError, IndexError, TypeError, ValueError, OverflowError, struct.error) as error:
            message = f"{self.path}: the answer has not the form of {self.api}: {type(error).__name__}"
            raise ProbeError(message, "name another one with --api") from None

    @property
    def path(self) -> str:
        """Where inputs are sent to."""
        name = quote(self.model, safe="")
        return {
            "chat": "/v1/chat/completions",
            "completions": "/v1/completions",
            "embeddings": self._embeddings,
            "tei": "/embed",
            "v1": f"/v1/models/{name}:predict",
            "v2": f"/v2/models/{name}/infer",
            "torchserve": f"/predictions/{name}",
            "mlflow": "/invocations",
        }[self.api]

    def _sent(self, given: Json) -> Reply:
        return self._send(Ask(self.path, json.dumps(self._body(given))))

    def _body(self, given: Json) -> Json:
        model: dict[str, Json] = {"model": self.model} if self.model else {}
        if self.api in TEXT_APIS:
            settled: dict[str, Json] = {
                **model, "temperature": 0, "seed": 0, "n": 1, "max_tokens": self._max_tokens
            }  # fmt: skip
            if self.api == "chat":
                if self._logprobs:
                    settled |= {"logprobs": True, "top_logprobs": _TOP}
                said = given if isinstance(given, dict) else {"messages": [{"role": "user", "content": given}]}
                return {**settled, **said, "stream": False}
            if self._logprobs:
                settled["logprobs"] = _TOP
            said = given if isinstance(given, dict) else {"prompt": given}
            return {**settled, **said, "stream": False}
        if self.api == "embeddings":
            return {**model, "encoding_format": "float", **(given if isinstance(given, dict) else {"input": given})}
        if self.api == "tei":
            return given if isinstance(given, dict) else {"inputs": given}
        return given

    def _result(self, answer: Json) -> Json:
        whole = cast(Mapping[str, object], answer)
        if self.api in TEXT_APIS:
            choices = cast(Sequence[Mapping[str, object]], whole["choices"])
            if len(choices) > 1:
                raise ProbeError(f"{self.path}: {len(choices)} answers", "give one prompt in each input, and no n")
            return msgspec.to_builtins(_written(choices[0]))
        if self.api == "embeddings":
            data = cast(Sequence[Mapping[str, object]], whole["data"])
            return _one([_vector(each["embedding"]) for each in data])
        if self.api == "tei":
            return _one([_vector(each) for each in cast(Sequence[object], answer)])
        if self.api == "v2":
            outputs = cast(Sequence[Mapping[str, object]], whole["outputs"])
            found = [{k: one[k] for k in ("name", "datatype", "shape", "data")} for one in outputs]
            return _bounded(sorted(found, key=lambda one: str(one["name"])))
        for key in ("predictions", "outputs"):
            if isinstance(answer, dict) and key in answer:
                return _bounded(answer[key])
        raise KeyError("predictions")


def answered(reply: Reply, path: str) -> Json:
    """The JSON of an answer. Raises ProbeError."""
    if reply.fault:
        raise ProbeError(f"{path}: {reply.fault}", reply.hint or "see whether the server runs", ends=reply.over)
    if reply.status != 200:
        other = "see the server's log for why" if reply.status >= 500 else "see whether --model and --api are right"
        hint = _HINTS.get(reply.status, other)
        raise ProbeError(f"{path}: the server answered {reply.status}", hint, ends=reply.status in (401, 403))
    try:
        return cast(Json, json.loads(reply.body))
    except (ValueError, RecursionError):
        raise ProbeError(f"{path}: the answer is no JSON", "see whether this is the server's address") from None


def _anything(body: bytes, path: str) -> Json:
    """What a handler of TorchServe gave: JSON, or a text."""
    try:
        return _bounded(json.loads(body))
    except (ValueError, RecursionError):
        pass
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise ProbeError(f"{path}: the answer is neither JSON nor text", "such outputs cannot be compared") from None


def _written(choice: Mapping[str, object]) -> Written:
    finish = str(choice.get("finish_reason") or "")
    logprobs = choice.get("logprobs")
    message = choice.get("message")
    text = _said(message) if isinstance(message, Mapping) else str(choice["text"])
    tokens: list[Token] = []
    if isinstance(logprobs, Mapping) and logprobs.get("content"):  # llama.cpp tells them so for completions, too
        tokens = [
            Token(
                str(one["token"]),
                _chance(one["logprob"]),
                [(str(o["token"]), _chance(o["logprob"])) for o in one.get("top_logprobs") or []][:_TOP],
            )
            for one in cast(Sequence[Mapping[str, Any]], logprobs["content"])
        ]
    elif isinstance(logprobs, Mapping) and logprobs.get("tokens"):
        tops = cast(Sequence[Mapping[str, float] | None], logprobs.get("top_logprobs") or [])
        pairs = zip(
            cast(Sequence[str], logprobs["tokens"]), cast(Sequence[float], logprobs["token_logprobs"]), strict=True
        )
        for number, (token, logprob) in enumerate(pairs):
            others = dict(tops[number] or {}) if number < len(tops) else {}
            ranked = sorted(((str(t), _chance(p)) for t, p in others.items()), key=lambda one: -one[1])[:_TOP]
            tokens.append(Token(str(token), _chance(logprob), ranked))
    return Written(text=text, finish=finish, tokens=tokens)


def _chance(logprob: object) -> float:
    """A log probability. JSON has no infinity: like vLLM, the least is a number."""
    found = float(cast(float, logprob))
    return found if math.isfinite(found) else _NEVER


def _said(message: Mapping[str, Any]) -> str:
    """All that a model wrote: what it thought, what it said, the tools it called. Their ids are drawn by lot."""
    thought = message.get("reasoning_content") or message.get("reasoning")
    parts = [str(part) for part in (thought, message.get("content")) if part]
    for call in message.get("tool_calls") or []:
        function = call["function"]
        parts.append(f"{function['name']}({function['arguments']})")
    return "\n".join(parts)


def _one(vectors: list[list[float]]) -> Json:
    """The vector of an input, or those of the texts in it."""
    if not vectors:
        raise ValueError("no vector")
    return vectors[0] if len(vectors) == 1 else _bounded(vectors)


def _vector(value: object) -> list[float]:
    if isinstance(value, str):  # base64 of little-endian float32
        data = base64.b64decode(value, validate=True)
        numbers = list(struct.unpack(f"<{len(data) // 4}f", data))
    else:
        numbers = [float(cast(float, one)) for one in cast(Sequence[object], value)]
    if not numbers or len(numbers) > _MOST_NUMBERS or not all(map(math.isfinite, numbers)):
        raise ValueError("a vector")
    return numbers


def _bounded(value: object) -> object:
    """``value``, unless it is too large or too deep to be kept. Raises ValueError."""
    stack: list[tuple[object, int]] = [(value, 0)]
    count = 0
    while stack:
        one, depth = stack.pop()
        count += 1
        if count > _MOST_NUMBERS or depth > 64:
            raise ValueError("too large")
        if isinstance(one, (dict, list)):
            stack.extend((part, depth + 1) for part in (one.values() if isinstance(one, dict) else one))
    return value
