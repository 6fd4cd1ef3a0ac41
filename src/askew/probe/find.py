"""Which API a server has and which model it serves, by the form of an input, by who it is, and by what it answers."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from askew.engines.live import Ask
from askew.facts.types import Value
from askew.probe.speak import APIS, Api, Json, ProbeError, Send, answered

# Engines that serve other things than chat. KServe's own servers have v1 and v2; an input of v2 shows by its form.
_BY_ENGINE: Mapping[str, Api] = {
    "tei": "tei", "infinity": "embeddings", "triton": "v2", "mlserver": "v2", "kserve": "v1", "tf-serving": "v1",
    "torchserve": "torchserve", "mlflow": "mlflow",
}  # fmt: skip
_NAMELESS = ("mlflow", "tei")


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """What a server says of itself: its engine, the names of its models, and facts with canonical values; or why
    nobody answered."""

    fault: str = ""
    hint: str = ""
    engine: str = ""
    models: tuple[str, ...] = ()
    facts: Mapping[str, Value] = {}


def named(name: str) -> Api:
    """The API of this name. Raises ProbeError."""
    for api in APIS:
        if api == name:
            return api  # type: ignore[return-value]  # APIS are its values
    raise ProbeError(f"'{name}' is no API that this build speaks", f"these are: {', '.join(APIS)}")


def by_form(given: Json) -> Api | None:
    """The API that an input is for, where its form tells; None for a text, and for what several take."""
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


def found_api(send: Send, given: Json, served: Served) -> Api:
    """The API of a server for an input whose form does not tell. Raises ProbeError."""
    if served.engine in _BY_ENGINE:
        return _BY_ENGINE[served.engine]
    if isinstance(given, str) and _names(_quietly(send, "/v1/models")):
        return "chat"
    ping = _quietly(send, "/ping")
    if isinstance(ping, dict) and "status" in ping:
        return "torchserve"  # Healthy, Partial Healthy or Unhealthy; its interface for predictions tells no more
    if isinstance(given, dict) and ("instances" in given or "inputs" in given):
        reply = send(Ask("/ping"))
        return "mlflow" if reply.status == 200 and not reply.body.strip() else "v1"
    if served.fault:
        raise ProbeError(served.fault, served.hint)
    raise ProbeError("what the server speaks cannot be told", f"name it: --api {'|'.join(APIS)}")


def found_model(send: Send, api: Api, served: Served) -> str:
    """The name of the one model that a server has, empty where none is needed. Raises ProbeError."""
    if api in _NAMELESS:
        return ""
    names: list[str] = []
    if api in ("chat", "completions", "embeddings"):
        names = _names(_quietly(send, "/v1/models")) or _names(_quietly(send, "/models"))
        if names:
            return names[0]  # the others are its aliases, or adapters
    if api == "v2":
        reply = send(Ask("/v2/repository/index", "{}"))
        listed = answered(reply, "/v2/repository/index") if reply.status == 200 else []
        if isinstance(listed, list):
            names = [str(one["name"]) for one in listed if isinstance(one, dict) and "name" in one]
    names = names or list(served.models)
    if not names and api == "v1":
        listed = _quietly(send, "/v1/models")
        told = listed.get("models") if isinstance(listed, dict) else None
        names = [one for one in told if isinstance(one, str)] if isinstance(told, list) else []
    if len(names) == 1:
        return names[0]
    if served.fault and not names:
        raise ProbeError(served.fault, served.hint)
    said = f"the server has {len(names)} models" if names else "the server does not say which models it has"
    raise ProbeError(said, f"name one with --model: {', '.join(names[:6])}" if names else "name one with --model")


def _names(listed: Json) -> list[str]:
    data = listed.get("data") if isinstance(listed, dict) else None
    return [str(one["id"]) for one in data if isinstance(one, dict) and "id" in one] if isinstance(data, list) else []


def _quietly(send: Send, path: str) -> Json:
    """An answer, None where there is none."""
    try:
        return answered(send(Ask(path)), path)
    except ProbeError:
        return None
