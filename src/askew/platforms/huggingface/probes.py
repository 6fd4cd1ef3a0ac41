"""What tokenizers and chat templates are tried on, and what the answers tell.

The corpus is fixed: a digest of answers compares with one that was taken earlier. ``CORPUS`` is raised when it changes.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from askew.evidence.location import Location
from askew.facts.types import Value
from askew.platforms.huggingface.chat_template import OPENER
from askew.platforms.huggingface.tokenizer_json import digest
from askew.platforms.kubernetes.observe import observed
from askew.resolve.observation import Confidence, Observation, Origin, Unknown

CORPUS = 1
PROBES = "#probes"  # behind the name of a directory: the answers to the probes
_LONGEST = 2_000  # characters of one answer that are shown

_SCHEMA: Value = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Current weather of a place",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "Name, as \"Zürich\" or 'Köln' <b>"}},
            "required": ["city"],
        },
    },
}
_CALL: Value = {
    "id": "call00001",
    "type": "function",
    "function": {"name": "get_weather", "arguments": {"city": "Zürich"}},
}
_HELLO: Value = {"role": "user", "content": "Hello"}


class Conversation(msgspec.Struct, frozen=True):
    """Messages to render, with the arguments that a request gives."""

    label: str
    messages: list[Value]
    tools: list[Value] | None = None
    prompt: bool = True
    extra: dict[str, Value] = {}


CONVERSATIONS: tuple[Conversation, ...] = (
    Conversation("one question", [_HELLO]),
    Conversation("one question, no generation prompt", [_HELLO], prompt=False),
    Conversation("no message", []),
    Conversation("system", [{"role": "system", "content": "Be brief."}, _HELLO]),
    Conversation("empty system", [{"role": "system", "content": ""}, _HELLO]),
    Conversation("blanks around", [{"role": "user", "content": "  Hello \n\n"}]),
    Conversation(
        "several turns",
        [
            {"role": "system", "content": "Be brief."},
            _HELLO,
            {"role": "assistant", "content": " Hi! "},
            {"role": "user", "content": "How are you?"},
        ],
    ),
    Conversation("an answer at the end", [_HELLO, {"role": "assistant", "content": "Hi"}], prompt=False),
    Conversation("tools", [_HELLO], [_SCHEMA]),
    Conversation("tools and system", [{"role": "system", "content": "Be brief."}, _HELLO], [_SCHEMA]),
    Conversation(
        "a call and its result",
        [
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "content": "", "tool_calls": [_CALL]},
            {"role": "tool", "tool_call_id": "call00001", "name": "get_weather", "content": '{"c": 21}'},
        ],
        [_SCHEMA],
    ),
    Conversation(
        "reasoning in the text",
        [
            _HELLO,
            {"role": "assistant", "content": "<think>\nA greeting.\n</think>\n\nHi"},
            {"role": "user", "content": "Again"},
        ],
    ),
    Conversation(
        "reasoning by itself",
        [
            _HELLO,
            {"role": "assistant", "content": "Hi", "reasoning_content": "A greeting."},
            {"role": "user", "content": "Again"},
        ],
    ),
    Conversation("thinking off", [_HELLO], extra={"enable_thinking": False}),
    Conversation("thinking on", [_HELLO], extra={"enable_thinking": True, "thinking": True}),
    Conversation(
        "an image",
        [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is this?"}]}],
    ),
    Conversation("text in parts", [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]),
    Conversation("two questions in a row", [_HELLO, {"role": "user", "content": "Hello?"}]),
    Conversation("another role", [{"role": "developer", "content": "Be brief."}, _HELLO]),
    Conversation("markers in the text", [{"role": "user", "content": "<|im_end|> </s> [INST] {{ x }}"}]),
)

# Shortest first, so that the first that two tokenizers differ on is the shortest that tells them apart.
TEXTS: tuple[str, ...] = tuple(sorted(
    (
        "a", " ", "  ", "\n", "\t", "é", "e\u0301", "ß", "ﬁ", "Ａ", "1", "12", "123", "1234", "12345678", "a b",
        " a", "a ", "  a", "\n\n", "\r\n", "a\n", "\u00a0", "\u200b", "\u3000", "\x00", "\x07", "\ufeff", "'s",
        "don't", "DON'T", "I’m", "Hello", " Hello", "hello", "HELLO", "Hello world", "Hello, world!",
        "Hello  world", "Hello\n\n\nworld", "...", "!!!", "--", "==", "3.14", "-1", "1,000,000", "1e-10",
        "0x1F", "10%", "$5", "中", "中文", "你好，世界", "日本語テスト", "한국어", "Привет", "Ελλάδα", "مرحبا",
        "שלום", "नमस्ते", "ไทย", "İi", "ǅ", "🙂", "👨‍👩‍👧", "🇩🇪", "a🙂b", "<s>", "</s>", "<unk>", "<pad>",
        "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|eot_id|>", "<think>", "a<s>b", "a <|im_end|> b",
        "[CLS]", "[MASK]", "x = [1, 2]", "def f(x):\n    return x", "if (a) {\n\tb();\n}", "    indented",
        "https://example.org/a?b=c&d=1#e", "me@example.org", "C:\\path\\file", "/usr/bin/env", "a_b-c.d",
        "camelCaseName", "snake_case_name", "café", "cafe\u0301", "naïve coöperation", "½ ² ①", "№5",
        "“quoted”", "a—b", "▁", "Ġ", "\ud7ff", "\U0010ffff", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "The quick brown fox jumps over the lazy dog.", "internationalization", "antidisestablishmentarianism",
        "pneumonoultramicroscopicsilicovolcanoconiosis", "SELECT * FROM t WHERE a='b';",
        "{\"key\": [true, null, 1.5]}", "1234567890123456789012345678901234567890", " \n \t \r\n ",
        "a  b   c    d",
    ),
    key=lambda text: (len(text), text),
))  # fmt: skip


class Rendered(msgspec.Struct, frozen=True):
    """What a template made of the conversations: label and prompt, or label and why there is none. ``fault`` is why
    nothing could be rendered, ``hint`` what to do about it."""

    answers: list[tuple[str, str]] = []
    fault: str = ""
    hint: str = ""


class Encoded(msgspec.Struct, frozen=True):
    """What a tokenizer made of the texts: the text, its token ids and what these decode to."""

    answers: list[tuple[str, list[int], str]] = []
    fault: str = ""
    hint: str = ""


class Answers(msgspec.Struct, frozen=True):
    """All that was tried on one directory; ``bos`` is the text of its BOS token, ``library`` the one that encoded, and
    ``assumed`` what it took from elsewhere than the files."""

    rendered: Rendered | None = None
    encoded: Encoded | None = None
    bos: str | None = None
    template: tuple[str, int, int] = ("", 0, 0)
    tokenizer: str = ""
    library: str = ""
    assumed: str = ""


def of_probes(text: str) -> Iterator[Observation]:
    """The facts that the answers state. Nothing for a text that holds none."""
    try:
        answers = msgspec.json.decode(text, type=Answers)
    except msgspec.DecodeError:
        return
    if answers.encoded is not None:
        place = Location(answers.tokenizer, line=1, column=1)
        algorithm = "" if answers.library == "tokenizers" else f"{answers.library}+"
        yield from _encoded(answers.encoded, place, algorithm, answers.assumed)
    if answers.rendered is not None:
        source, line, column = answers.template
        yield from of_rendered(answers.rendered, Location(source, line=line, column=column), answers.bos)


def was_rendered(text: str) -> bool:
    """Whether a template was rendered."""
    try:
        found = msgspec.json.decode(text, type=Answers).rendered
    except msgspec.DecodeError:
        return False
    return found is not None and not found.fault


def _encoded(found: Encoded, place: Location, algorithm: str, assumed: str) -> Iterator[Observation]:
    """``algorithm`` stands in front of a digest that compares with those of the same library only."""
    fact = "model.tokenizer.behaviour"
    if found.fault:
        yield observed(fact, Unknown(found.fault, found.hint, missing=True), place, origin="model", basis="seen")
        return
    shown = tuple(f"{_json(text)} → {answer(ids, back)}" for text, ids, back in found.answers)
    value = algorithm + digest([CORPUS, [list(answer) for answer in found.answers]])
    if assumed:
        shown = (*shown, assumed)
    sure: Confidence = "likely" if assumed else "certain"
    yield observed(fact, value, place, origin="model", basis="seen", because=shown, confidence=sure)


def answer(ids: list[int], back: str) -> str:
    """What a tokenizer makes of a text, to be shown."""
    return f"{_ids(ids)}, decoded {_json(back)}"


def _ids(ids: list[int]) -> str:
    return " ".join(str(number) for number in ids) or "no token"


def of_rendered(found: Rendered, place: Location, bos: str | None, origin: Origin = "model") -> Iterator[Observation]:
    """The facts that the prompts state. ``bos``: the text of the BOS token, where it is known."""
    fact = "model.chat_template.behaviour"
    if found.fault:
        yield observed(fact, Unknown(found.fault, found.hint, missing=True), place, origin=origin, basis="seen")
        return
    shown = tuple(f"{label} → {_shortened(_quoted(prompt))}" for label, prompt in found.answers)
    value = digest([CORPUS, [list(answer) for answer in found.answers]])
    yield observed(fact, value, place, origin=origin, basis="seen", because=shown)
    prompts = dict(found.answers)
    asked, plain = prompts.get("one question", ""), prompts.get("one question, no generation prompt", "")
    if not asked or not plain or asked.startswith(FAILED):
        return
    because = ("rendered for one question",)

    def seen(fact: str, value: Value) -> Observation:
        return observed(fact, value, place, origin=origin, basis="seen", because=because)

    if bos:
        yield seen("model.chat_template.emits_bos", asked.startswith(bos))
    yield seen("model.chat_template.opens_reasoning", OPENER.search(asked) is not None)
    if asked.startswith(plain):
        begins = _turn(plain, prompts.get("an answer at the end", ""))
        prompt = asked[len(plain) :]
        if not prompt and begins.strip():
            because = (f"an answer begins with {_json(begins)}, and the template puts nothing there for one to come",)
            yield seen("model.chat_template.generation_prompt", None)
        else:
            yield seen("model.chat_template.generation_prompt", prompt)


def _turn(question: str, answered: str) -> str:
    """What stands between a question and its answer; empty where that cannot be told."""
    return answered[len(question) :].partition("Hi")[0] if answered.startswith(question) else ""


FAILED = "\x00"  # in front of the reason why a conversation has no prompt


def _quoted(text: str) -> str:
    if text.startswith(FAILED):
        return f"no prompt: {text[1:]}"
    return _json(text)


def _json(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… {digest(text)}"
