"""``prometheus:http://host:9090?job=llm&window=30m``: what a Prometheus server kept of a workload's metrics.

Thanos, Mimir, VictoriaMetrics and Google's managed service speak the same API. What is asked for is every point of the
window, not ``rate()`` of it: the points show restarts and replicas that came and went, which a rate worked out by the
server hides, and rates, quantiles and means all come out of one answer, so that a workload costs a few queries however
many figures there are. Where the points are too many for the server or for us, each counter's ``increase()`` is asked
for instead, and gauges at sixty moments. Native histograms are always asked for that way, since their buckets change
their bounds over time.

A token is taken from ``ASKEW_PROMETHEUS_TOKEN``, or a user and password from ``ASKEW_PROMETHEUS_USER`` and
``ASKEW_PROMETHEUS_PASSWORD``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import cast

import msgspec

from askew.collectors.asking import Get, Reply
from askew.collectors.connections import basic
from askew.collectors.http.address import Address, AddressError, address
from askew.collectors.interface import Capability, Evidence, Request, SourceError, Text
from askew.collectors.metrics import redact
from askew.collectors.prometheus import query
from askew.collectors.prometheus.query import Asked, OptionError
from askew.engines._live import METERS
from askew.engines.live import Ask, Meters
from askew.evidence.redaction import Redactor

TOKEN = "ASKEW_PROMETHEUS_TOKEN"
_USER, _PASSWORD = "ASKEW_PROMETHEUS_USER", "ASKEW_PROMETHEUS_PASSWORD"
_MOST = 60  # questions to one server
_BYTES = 16 * 2**20  # of one answer
_ALL_BYTES = 96 * 2**20
_TOTAL = 90.0  # seconds for all of it
_ANSWER = 45.0  # seconds for one answer
_STEPS = 60  # moments of a gauge, where its points are too many
_COUNTED = ("_total", "_bucket", "_count", "_sum")
_TOO_MUCH = (413, 414, 422, 503)
_METRIC = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
_EXAMPLE = "write prometheus:http://prometheus:9090?namespace=prod&pod=llm-.*&window=30m"


class _Answer(msgspec.Struct):
    """https://prometheus.io/docs/prometheus/latest/querying/api/#format-overview"""

    status: str = ""
    error: str = ""
    warnings: list[str] = []
    partial: bool = msgspec.field(name="isPartial", default=False)  # VictoriaMetrics' word for it
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Series(msgspec.Struct):
    metric: dict[str, str] = {}
    histograms: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Data(msgspec.Struct):
    result: list[_Series] = []


class PrometheusCollector:
    """A server that keeps metrics over time. Only reads."""

    name = "prometheus"
    schemes: tuple[str, ...] = ("prometheus",)
    capabilities: tuple[Capability, ...] = ("network",)

    def collect(self, request: Request, redactor: Redactor) -> Evidence:
        """Ask for the metrics that engines and exporters have. Never raises for what is answered."""
        from askew.collectors.http.transport import Transport

        shown = redactor.text(request.uri)
        try:
            asked = query.asked(request.options)
            where = _address(request.target, os.environ)
        except OptionError as error:
            return _failed(shown, redactor.text(str(error)), _EXAMPLE)
        except AddressError as error:
            return _failed(shown, redactor.text(error.message), redactor.text(error.hint))
        transport = Transport(where, total=_TOTAL, answer=_ANSWER, limit=_BYTES, headers=asked.headers)
        server = _Server(transport.get, where, asked, redactor)
        server.run()
        return server.evidence(shown)


COLLECTOR = PrometheusCollector()


def _address(target: str, env: Mapping[str, str]) -> Address:
    """Where the server is. Raises AddressError."""
    if not target.startswith(("http://", "https://")):
        raise AddressError("no address of a server follows", _EXAMPLE)
    where = address(target.rstrip("/"), env, TOKEN)
    user, password = env.get(_USER, ""), env.get(_PASSWORD, "")
    if user and password and not where.authorization:
        return msgspec.structs.replace(where, authorization=basic(user, password))
    return where


class _Server:
    """One server. An object because each question follows from the answers so far, and all share what is left."""

    def __init__(self, get: Get, where: Address, asked: Asked, redactor: Redactor) -> None:
        self._get = get
        self._where = where
        self._asked = asked
        self._redactor = redactor
        self._source = f"prometheus:{where.shown}"
        self._texts: list[Text] = []
        self._errors: list[SourceError] = []
        self._notes: list[str] = []
        self._questions = 0
        self._bytes = 0
        self._over = False

    def run(self) -> None:
        """Ask which of the metrics that are read there are, and then for them."""
        for index, selector in enumerate(self._asked.selectors):
            names = self._names(selector, quiet=index > 0)
            for one, batch in query.raw_queries(self._asked, selector, names):
                self._points(selector, one, batch)

    def evidence(self, shown: str) -> Evidence:
        """Everything that was answered, and how it ended."""
        if not self._texts and not self._errors:
            message = f"no metrics of an engine match {{{self._asked.selectors[0]}}} in the window"
            hint = "see which labels the series have: /api/v1/series?match[]=vllm:num_requests_running"
            self._errors.append(SourceError(source=shown, message=self._redactor.text(message), hint=hint))
        reasons = [*(error.message for error in self._errors), *self._notes]
        return Evidence(
            uri=shown,
            texts=tuple(self._texts),
            status=("partial" if self._texts else "failed") if reasons else "complete",
            reason="; ".join(dict.fromkeys(reasons)),
            errors=tuple(self._errors),
            files=self._questions,
            platform="metrics",
        )

    def _names(self, selector: str, *, quiet: bool) -> tuple[str, ...]:
        """The metrics that the selected series have and that are read, sorted; none where the server does not say."""
        reply, answer = self._ask(query.names_path(self._asked, selector))
        if answer is None:
            if not quiet or reply.status in (401, 403):
                self._fail(reply)
            return ()
        try:
            listed = msgspec.json.decode(answer.data, type=list[str])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self._fail(reply, f"expected a list of names: {error}")
            return ()
        wanted = _wanted()
        return tuple(sorted(name for name in set(listed) if wanted(name)))

    def _points(self, selector: str, one: str, names: Sequence[str]) -> None:
        reply, answer = self._ask(query.query_path(self._asked, one))
        if answer is not None:
            self._keep(query.shown(self._asked, selector), reply)
            self._native(selector, answer.data)
        elif reply.status in (*_TOO_MUCH, 200) or (reply.status == 400 and len(names) > 1):
            self._notes.append(f"{_why(reply)}: increases and some moments were asked for instead of all points")
            for name in names:
                self._worked_out(selector, name)
        else:
            self._fail(reply)

    def _worked_out(self, selector: str, name: str) -> None:
        """The increase of a counter, or a gauge at some moments."""
        if name.endswith(_COUNTED):
            one = query.increase_query(self._asked, selector, name)
            reply, answer = self._ask(query.query_path(self._asked, one))
        else:
            one = f"{name}{{{selector}}}"
            reply, answer = self._ask(query.steps_path(self._asked, one, _STEPS))
        if answer is None:
            self._fail(reply)
        else:
            self._keep(one, reply)

    def _native(self, selector: str, data: msgspec.Raw) -> None:
        """Native histograms among the answers, each as what it grew by."""
        if b'"histograms"' not in bytes(data):
            return
        try:
            listed = msgspec.json.decode(data, type=_Data).result
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return  # no answer to a query: its reader says so
        found = {one.metric.get("__name__", "") for one in listed if one.histograms is not msgspec.UNSET}
        for name in sorted(name for name in found if _METRIC.fullmatch(name)):
            one = query.increase_query(self._asked, selector, name)
            reply, answer = self._ask(query.query_path(self._asked, one))
            if answer is None:
                self._fail(reply)
            else:
                self._keep(one, reply)

    def _ask(self, path: str) -> tuple[Reply, _Answer | None]:
        """One question; no answer where none came that can be read."""
        if self._over or self._questions >= _MOST or self._bytes > _ALL_BYTES:
            why = "the time or the bytes for this server were used up" if self._over else "too many questions"
            return Reply(status=0, fault=why, over=True), None
        self._questions += 1
        reply = self._get(Ask(path))
        self._bytes += len(reply.body)
        self._over = reply.over
        if reply.fault or reply.status != 200:
            return reply, None
        try:
            answer = msgspec.json.decode(reply.body, type=_Answer)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            page = reply.body.lstrip()[:1] == b"<"
            fault = "a web page was answered, not Prometheus' API: perhaps a login" if page else "no JSON was answered"
            return Reply(status=0, fault=fault, hint=_EXAMPLE), None
        if answer.status != "success":
            return Reply(status=0, fault=answer.error or "an answer without success", hint=_EXAMPLE), None
        self._notes.extend(f"the server warns: {self._redactor.text(text)}" for text in answer.warnings[:3])
        if answer.partial:
            self._notes.append("the server says that its answer is partial")
        return reply, answer

    def _keep(self, one: str, reply: Reply) -> None:
        source = f"{self._source} {one} @{self._asked.times}"
        self._texts.append(Text(source=self._redactor.text(source), text=redact.answer(reply.body, self._redactor)))

    def _fail(self, reply: Reply, message: str = "") -> None:
        said = self._redactor.text(message or _why(reply))
        hint = reply.hint or "see whether the address is that of a Prometheus server"
        if reply.status in (401, 403):
            hint = f"set {TOKEN}, or {_USER} and {_PASSWORD}"
        if not any(error.message == said for error in self._errors):
            self._errors.append(SourceError(source=self._source, message=said, hint=self._redactor.text(hint)))


def _why(reply: Reply) -> str:
    """What a server that did not answer says of it."""
    if reply.fault:
        return reply.fault
    try:
        error = msgspec.json.decode(reply.body, type=_Answer).error[:300]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        error = ""
    return f"status {reply.status}" + (f": {error}" if error else "")


def _failed(shown: str, message: str, hint: str) -> Evidence:
    error = SourceError(source=shown, message=message, hint=hint)
    return Evidence(uri=shown, status="failed", reason=message, errors=(error,), platform="metrics")


def _wanted() -> Callable[[str], bool]:
    """Whether any engine or exporter has a metric of this name."""
    from askew.engines import exporters, meters

    tables = [cast(Meters, import_module(module).METERS) for module in METERS.values()]
    return meters.wanted((*tables, *exporters.TABLES))
