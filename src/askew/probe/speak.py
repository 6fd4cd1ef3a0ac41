"""How each kind of server is asked for a result, and what of its answer counts.

Sources: https://platform.openai.com/docs/api-reference (chat, completions, embeddings, as vLLM, SGLang, llama.cpp and
others serve them), https://huggingface.github.io/text-embeddings-inference/ (embed),
https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol (v2),
https://www.tensorflow.org/tfx/serving/api_rest (tensorflow), https://mlflow.org/docs/latest/ml/deployment/ (mlflow)
"""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias, cast, get_args
from urllib.parse import quote

import msgspec

from askew.collectors.asking import Reply
from askew.engines.live import Ask

Kind: TypeAlias = Literal["chat", "completions", "embeddings", "tei", "v2", "tensorflow", "mlflow"]
KINDS: tuple[str, ...] = get_args(Kind)
Json: TypeAlias = object
Send: TypeAlias = Callable[[Ask], Reply]

_TOP = 5  # alternatives asked for with each token
_MOST_NUMBERS = 4_000_000
TEXT_KINDS = ("chat", "completions")
VECTOR_KINDS = ("embeddings", "tei")


class ProbeError(Exception):
    """A server did not give a result, or an input is none: why, and what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


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
    """Sends inputs of one kind to one server and takes the results out of its answers."""

    def __init__(self, send: Send, kind: Kind, model: str, max_tokens: int) -> None:
        self._send = send
        self.kind = kind
        self.model = model
        self._max_tokens = max_tokens
        self._logprobs = True

    def ask(self, given: Json) -> Json:
        """The result for one input, as JSON. Raises ProbeError."""
        path, body = self._request(given)
        reply = self._send(Ask(path, json.dumps(body)))
        if reply.status in (400, 422) and self._logprobs and self.kind in TEXT_KINDS:
            self._logprobs = False  # not every server offers them
            path, body = self._request(given)
            reply = self._send(Ask(path, json.dumps(body)))
        answer = _json(reply, path)
        try:
            return self._result(answer)
        except (KeyError, IndexError, TypeError, ValueError, struct.error) as error:
            message = f"{path}: the answer has not the form of {self.kind}: {type(error).__name__}"
            raise ProbeError(message, "name another kind with --kind") from None

    def _request(self, given: Json) -> tuple[str, dict[str, Json]]:
        model: dict[str, Json] = {"model": self.model} if self.model else {}
        name = quote(self.model, safe="")
        if self.kind in TEXT_KINDS:
            settled: dict[str, Json] = {
                **model, "temperature": 0, "seed": 0, "n": 1, "max_tokens": self._max_tokens, "stream": False
            }  # fmt: skip
            if self.kind == "chat":
                if self._logprobs:
                    settled |= {"logprobs": True, "top_logprobs": _TOP}
                said = given if isinstance(given, dict) else {"messages": [{"role": "user", "content": given}]}
                return "/v1/chat/completions", {**settled, **said}
            if self._logprobs:
                settled["logprobs"] = _TOP
            return "/v1/completions", {**settled, **(given if isinstance(given, dict) else {"prompt": given})}
        if self.kind == "embeddings":
            asked = given if isinstance(given, dict) else {"input": given}
            return "/v1/embeddings", {**model, "encoding_format": "float", **asked}
        if self.kind == "tei":
            return "/embed", given if isinstance(given, dict) else {"inputs": given}
        whole = cast(dict[str, Json], given)
        if self.kind == "v2":
            return f"/v2/models/{name}/infer", whole
        if self.kind == "tensorflow":
            return f"/v1/models/{name}:predict", whole
        return "/invocations", whole

    def _result(self, answer: Json) -> Json:
        whole = cast(Mapping[str, object], answer)
        if self.kind in TEXT_KINDS:
            return msgspec.to_builtins(_written(cast(Sequence[Mapping[str, object]], whole["choices"])[0]))
        if self.kind == "embeddings":
            return _vector(cast(Sequence[Mapping[str, object]], whole["data"])[0]["embedding"])
        if self.kind == "tei":
            return _vector(cast(Sequence[object], answer)[0])
        if self.kind == "v2":
            outputs = cast(Sequence[Mapping[str, object]], whole["outputs"])
            found = [{k: one[k] for k in ("name", "datatype", "shape", "data")} for one in outputs]
            return _bounded(sorted(found, key=lambda one: str(one["name"])))
        for key in ("predictions", "outputs"):
            if isinstance(answer, dict) and key in answer:
                return _bounded(answer[key])
        raise KeyError("predictions")


def kind_of(given: Json) -> Kind | None:
    """The kind of server that an input is for, where its form tells; None for a text, and for what several take."""
    if not isinstance(given, dict):
        return None
    if "messages" in given:
        return "chat"
    if "prompt" in given:
        return "completions"
    if "input" in given:
        return "embeddings"
    if "dataframe_split" in given or "dataframe_records" in given:
        return "mlflow"
    inputs = given.get("inputs")
    if isinstance(inputs, list) and inputs and isinstance(inputs[0], dict) and "datatype" in inputs[0]:
        return "v2"
    return None


def found_kind(send: Send, given: Json) -> Kind:
    """The kind of a server, by what it answers, where the input does not tell. Raises ProbeError."""
    if isinstance(given, str):
        info = _answered(send, "/info")
        if isinstance(info, dict) and "model_type" in info and "model_id" in info:
            return "tei"
        if _names(_answered(send, "/v1/models")):
            return "chat"
    elif isinstance(given, dict) and ("instances" in given or "inputs" in given):
        if send(Ask("/ping")).status == 200:
            return "mlflow"
        return "tensorflow"
    raise ProbeError("what kind of server this is cannot be told", f"name it: --kind {'|'.join(KINDS)}")


def found_model(send: Send, kind: Kind) -> str:
    """The name of the one model that a server has, empty where none is needed. Raises ProbeError."""
    if kind in ("mlflow", "tei"):
        return ""
    names: list[str] = []
    if kind == "v2":
        reply = send(Ask("/v2/repository/index", "{}"))
        listed = _json(reply, "/v2/repository/index") if reply.status == 200 else []
        if isinstance(listed, list):
            names = [str(one["name"]) for one in listed if isinstance(one, dict) and "name" in one]
    elif kind != "tensorflow":
        names = _names(_answered(send, "/v1/models"))
        if names:
            return names[0]
    if len(names) == 1:
        return names[0]
    said = f"the server has {len(names)} models" if names else "the server does not say which models it has"
    raise ProbeError(said, f"name one with --model: {', '.join(names[:6])}" if names else "name one with --model")


def _names(listed: Json) -> list[str]:
    data = listed.get("data") if isinstance(listed, dict) else None
    return [str(one["id"]) for one in data if isinstance(one, dict) and "id" in one] if isinstance(data, list) else []


def _answered(send: Send, path: str) -> Json:
    reply = send(Ask(path))
    if reply.status != 200:
        return None
    try:
        return _json(reply, path)
    except ProbeError:
        return None


def _json(reply: Reply, path: str) -> Json:
    if reply.fault:
        raise ProbeError(f"{path}: {reply.fault}", reply.hint or "see whether the server runs")
    if reply.status != 200:
        hint = "set ASKEW_API_KEY" if reply.status in (401, 403) else "see its log for why; --model and --kind decide"
        raise ProbeError(f"{path}: the server answered {reply.status}", hint)
    try:
        return cast(Json, json.loads(reply.body))
    except (ValueError, RecursionError):
        raise ProbeError(f"{path}: the answer is no JSON", "see whether this is the server's address") from None


def _written(choice: Mapping[str, object]) -> Written:
    finish = str(choice.get("finish_reason") or "")
    logprobs = choice.get("logprobs")
    message = choice.get("message")
    if isinstance(message, Mapping):
        text = str(message.get("content") or message.get("reasoning_content") or message.get("reasoning") or "")
        told = logprobs.get("content") if isinstance(logprobs, Mapping) else None
        tokens = [
            Token(
                str(one["token"]),
                float(one["logprob"]),
                [(str(o["token"]), float(o["logprob"])) for o in one.get("top_logprobs") or []][:_TOP],
            )
            for one in told or []
        ]
        return Written(text=text, finish=finish, tokens=tokens)
    text = str(choice["text"])
    tokens = []
    if isinstance(logprobs, Mapping) and logprobs.get("tokens"):
        tops = cast(Sequence[Mapping[str, float] | None], logprobs.get("top_logprobs") or [])
        pairs = zip(
            cast(Sequence[str], logprobs["tokens"]), cast(Sequence[float], logprobs["token_logprobs"]), strict=True
        )
        for number, (token, logprob) in enumerate(pairs):
            others = dict(tops[number] or {}) if number < len(tops) else {}
            ranked = sorted(((str(t), float(p)) for t, p in others.items()), key=lambda one: -one[1])[:_TOP]
            tokens.append(Token(str(token), float(logprob), ranked))
    return Written(text=text, finish=finish, tokens=tokens)


def _vector(value: object) -> list[float]:
    if isinstance(value, str):  # base64 of little-endian float32
        data = base64.b64decode(value, validate=True)
        return list(struct.unpack(f"<{len(data) // 4}f", data))
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
