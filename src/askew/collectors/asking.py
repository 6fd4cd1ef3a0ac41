"""Asking a running engine, whatever carries the questions: a connection, or the API server's proxy to a pod.

What is asked is for the installed engines to say (``askew.engines._live``). Answers are read and redacted here, and
never interpreted beyond whether an engine knows them as its own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import TypeAlias, cast

import msgspec

from askew.collectors.metrics import redact
from askew.engines._live import ENDPOINTS
from askew.engines.live import Ask, Endpoints
from askew.evidence.document import Context, Document, Node
from askew.evidence.redaction import Redactor
from askew.evidence.told import Told
from askew.evidence.yaml import read

MAX_BYTES = 4 * 2**20  # of one answer
MAX_TOTAL = 16 * 2**20  # of all answers of one endpoint
METRICS = "/metrics"
_ROUNDS = 6
_MOST = 40  # questions to one endpoint
_SILENT = 2  # questions without any answer, after which nobody is taken to be there
_PATH = re.compile(r"/[!-~]{0,2000}")
_JSON = ("{", "[", '"')
# Each comment ends at its first mark and no other: a page of comments costs what it is long.
_PAGE = re.compile(r"\s*+(?>(?:<!--.*?-->\s*+)*)<(?:!doctype|html|head|\?xml)", re.IGNORECASE | re.DOTALL)
_SAMPLE = re.compile(r"^(?:# (?:HELP|TYPE) \S+|[a-zA-Z_:][a-zA-Z0-9_:]*(?:\{[^\n]*\})? [-+0-9.eEINn])", re.MULTILINE)


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What came back for one question.

    ``status`` is HTTP's; 0 where no whole answer came, and ``fault`` says why, ``hint`` what to do. ``over``: nothing
    more can come, so nothing more is asked (nobody listens there, the time is up). ``body`` is as read, not compressed.
    """

    status: int
    media: str = ""
    body: bytes = b""
    fault: str = ""
    hint: str = ""
    over: bool = False


Get: TypeAlias = Callable[[Ask], Reply]


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A question that was not answered: how it ended (``404``, ``no JSON``), and what is missed without the answer."""

    name: str
    status: int
    why: str
    hint: str = ""
    lacking: str = ""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint told, all of it redacted, and what it did not tell.

    ``engine`` is the name of the engine that the answers are of; empty where no engine knows them. ``requests`` counts
    the questions, ``log`` has a line for each: ``GET /v1/models 200``; ``unasked`` counts those that were too many.
    """

    told: tuple[Told, ...]
    refused: tuple[Refused, ...] = ()
    engine: str = ""
    unasked: int = 0
    requests: int = 0
    log: tuple[str, ...] = ()

    @property
    def silent(self) -> bool:
        """Whether nothing at all came back that says anything."""
        return not any(one.document is not None or one.text.strip() for one in self.told)

    @property
    def missed(self) -> tuple[str, ...]:
        """What is missed, a sentence for each question whose answer would have told more."""
        said = [f"{one.name} was not answered ({one.why}): {one.lacking}" for one in self.refused if one.lacking]
        if self.unasked:
            said.append(f"{self.unasked} more questions were not asked: at most {_MOST} are")
        return tuple(dict.fromkeys(said))


def ask(
    get: Get, redactor: Redactor, address: str, *, first: Sequence[Ask] = (), replica: str = "", container: str = ""
) -> Asked:
    """Ask what the engines want to know, until they want nothing new. Never raises for what is answered.

    ``address`` stands before the path in the name of each answer: a URL without credentials, or an object of a
    cluster. ``first`` is asked before all else: what the user pointed at. ``replica`` and ``container`` say who is
    asked, where a workload has several.
    """
    asking = _Asking(get, redactor, address, replica, container)
    asking.run(first)
    return asking.asked()


class _Asking:
    """One endpoint. An object because what is asked next follows from all that was answered."""

    def __init__(self, get: Get, redactor: Redactor, address: str, replica: str, container: str) -> None:
        self._get = get
        self._redactor = redactor
        self._address = address
        self._replica = replica
        self._container = container
        self._engines = {name: cast(Endpoints, import_module(module).ENDPOINTS) for name, module in ENDPOINTS.items()}
        self._engine = ""
        self._answers: dict[str, Told] = {}
        self._metrics: list[Told] = []
        self._refused: list[Refused] = []
        self._log: list[str] = []
        self._tried: set[str] = set()
        self._bytes = 0
        self._unanswered = 0
        self._unasked = 0
        self._over = False

    def asked(self) -> Asked:
        """All that came of it."""
        return Asked(
            told=(*self._answers.values(), *self._metrics),
            refused=tuple(self._refused),
            engine=self._engine,
            unasked=self._unasked,
            requests=len(self._log),
            log=tuple(self._log),
        )

    def run(self, first: Sequence[Ask]) -> None:
        for turn in range(_ROUNDS):
            wanted = list(first) if turn == 0 and first else list(self._wanted())
            for place, question in enumerate(wanted):
                if self._over:
                    return
                if len(self._log) >= _MOST:
                    self._unasked = len(wanted) - place
                    break
                before = self._engine
                self._one(question)
                if self._engine != before:
                    break  # whoever it is wants to know other things than the rest
            if not wanted or self._unasked:
                break
        metrics = self._engines[self._engine].metrics if self._engine else METRICS
        if metrics and not self._over:
            self._one(Ask(metrics))

    def _wanted(self) -> Iterator[Ask]:
        """What the engine asks that is recognised, or all of them: first what most of them want to know."""
        asks: Counter[Ask] = Counter()
        for name, endpoints in self._engines.items():
            if not self._engine or name == self._engine:
                asks.update(dict.fromkeys(endpoints.asks(self._answers), 1))
        for question, _ in asks.most_common():
            other = question.instead_of
            if other and (other not in self._tried or other in self._answers):
                continue
            if question.name not in self._tried and _PATH.fullmatch(question.path):
                yield question

    def _one(self, question: Ask) -> None:
        if question.name in self._tried:
            return
        self._tried.add(question.name)
        reply = self._get(question)
        self._log.append(f"{'POST' if question.body else 'GET'} {question.name} {reply.status or 'no answer'}")
        self._bytes += len(reply.body)
        if reply.status == 0:
            self._unanswered += 1
        if reply.over or self._unanswered >= _SILENT or self._bytes > MAX_TOTAL:
            self._over = True
        why = _refusal(reply)
        told = None if why else self._told(question, reply)
        if isinstance(told, Told):
            if told.kind == "metrics":
                self._metrics.append(told)
            else:
                self._answers[question.name] = told
                self._recognise()
            return
        hint = reply.hint or ("set ASKEW_API_KEY to its key" if reply.status in (401, 403) else "")
        self._refused.append(
            Refused(
                name=question.name,
                status=reply.status,
                why=self._redactor.text(why or told or "an empty answer"),
                hint=self._redactor.text(hint),
                lacking=question.lacking,
            )
        )

    def _recognise(self) -> None:
        if not self._engine or not self._engines[self._engine].speaks(self._answers):
            names = (name for name, endpoints in self._engines.items() if endpoints.speaks(self._answers))
            self._engine = next(names, "")

    def _told(self, question: Ask, reply: Reply) -> Told | str:
        """An answer, redacted; or why it is none."""
        source = self._address + question.name
        try:
            text = reply.body.decode("utf-8-sig")
        except UnicodeDecodeError:
            return "neither JSON nor text"
        if _PAGE.match(text):
            return "a web page, not an answer of an engine: perhaps a login"
        if text.lstrip()[:1] in _JSON:
            document = document_of(text, source, self._redactor)
            if not isinstance(document, str):
                return Told(
                    kind="answer", name=question.name, source=source, document=document, replica=self._replica,
                    container=self._container,
                )  # fmt: skip
            if "json" in reply.media:
                return document
        if "\0" in text:
            return "neither JSON nor text"
        metrics = question.path.endswith(METRICS)
        if metrics and not _SAMPLE.search(text[:100_000]):
            return "no metrics in Prometheus' text format"
        clean = redact.dump(text, self._redactor) if metrics else self._redactor.text(text)
        return Told(
            kind="metrics" if metrics else "answer", name=question.name, source=source, text=clean,
            replica=self._replica, container=self._container,
        )  # fmt: skip


def document_of(text: str, source: str, redactor: Redactor) -> Document | str:
    """One JSON document, redacted, whose places are JSON paths: an answer has no lines worth naming. What was expected
    instead, where it is none."""
    wrapped = text.lstrip()[:1] == '"'  # a bare string: the reader takes maps and lists
    stream = read(f"[{text}]" if wrapped else text, source)
    documents, errors = stream.documents, stream.errors
    if errors or len(documents) != 1:
        return f"expected one JSON document: {errors[0].message if errors else 'found several'}"
    value = documents[0].root.value
    if wrapped and isinstance(value, list) and len(value) == 1:
        value = value[0]
    context = Context(source)
    document = Document(context, 0, Node(context, value), (), 0, 0)
    redactor.document(document)
    return document


def _refusal(reply: Reply) -> str:
    """How a question ended that was not answered; empty where it was."""
    if reply.status == 0:
        return reply.fault or "no answer"
    if 200 <= reply.status < 300:
        return reply.fault
    return reply.fault or _STATUS.get(reply.status, f"status {reply.status}")


_STATUS = {
    401: "401, it wants credentials",
    403: "403, these credentials may not",
    404: "404, it has no such path",
    405: "405, it has no such path",
    429: "429, it has too many requests",
}
