"""Renders a chat template, or encodes texts, in a process of its own that can be cut off.

Run by its path with an isolated interpreter and nothing of Askew in it: what is asked comes as JSON on standard input,
the answers go as JSON to standard output. Templates run in Jinja's immutable sandbox, with limits of memory, time and
output; once the libraries are loaded, an audit hook refuses files, processes, connections and imports.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable
from typing import Any

_Answer = Callable[[str], tuple[list[int], str]]  # token ids of a text, and what they decode to
_MEMORY = {"templates": 1 << 30, "tokens": 4 << 30, "pieces": 1 << 30, "ranks": 4 << 30, "apart": 6 << 30}
_SECONDS = 15
_LONGEST = 1 << 18  # characters of one prompt
_FAILED = "\x00"
_WARM = (
    "{% macro m(a) %}{{ a|trim|upper|tojson }}{% endmacro %}{% for x in [1, 2]|sort %}{{ loop.index }}{% endfor %}"
    "{% set ns = namespace(a=1) %}{% set ns.a = 2 %}"
    "{{ m('x') }}{{ a is defined }}{{ a.strip().split('x')|join(' ') }}"
    "{{ n|round|int }}{{ [{'a': 1}]|selectattr('a', 'equalto', 1)|map(attribute='a')|list }}{{ a|e|safe }}"
    "{% filter indent(2) %}x{% endfilter %}{% call(x) m('y') %}z{% endcall %}{{ a|urlize }}{{ a|random }}"
    "{{ [1]|batch(1)|list }}",
    "{% if %}",
    "{{ nothing.at.all }}",
    "{{ raise_exception('no') }}",
    "{{ 1 // 0 }}",
)
_REFUSED = ("open", "import", "os.", "subprocess.", "socket.", "shutil.", "ctypes.", "urllib.", "ftplib.", "pty.")


def main() -> None:
    """Answer one request."""
    asked = json.load(sys.stdin.buffer)
    _limit(asked["kind"])
    answer = {"templates": _templates, "apart": _apart}.get(asked["kind"], _texts)(asked)
    sys.stdout.buffer.write(json.dumps(answer).encode("ascii"))
    sys.stdout.buffer.flush()


def _limit(kind: str) -> None:
    try:
        import resource
    except ImportError:
        return
    for name, most in (("RLIMIT_AS", _MEMORY[kind]), ("RLIMIT_CPU", _SECONDS), ("RLIMIT_CORE", 0)):
        try:
            resource.setrlimit(getattr(resource, name), (most, most))
        except (AttributeError, OSError, ValueError):
            continue


def _refuse() -> None:
    def hook(event: str, arguments: object) -> None:
        if event.startswith(_REFUSED):
            raise PermissionError(f"{event} is refused here")

    sys.addaudithook(hook)


def _templates(asked: dict[str, Any]) -> dict[str, Any]:
    import datetime

    import jinja2
    import jinja2.debug
    import jinja2.exceptions
    import jinja2.ext
    import jinja2.nodes
    import jinja2.parser
    import jinja2.sandbox

    class Generation(jinja2.ext.Extension):
        """``{% generation %}`` marks what the assistant wrote, for training; it prints its body."""

        tags = {"generation"}  # noqa: RUF012  # as Jinja declares it

        def parse(self, parser: jinja2.parser.Parser) -> list[jinja2.nodes.Node]:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    def raise_exception(message: str) -> None:
        raise jinja2.TemplateError(message)

    def tojson(
        value: object, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
    ) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def strftime_now(form: str) -> str:
        return datetime.datetime(2024, 7, 26, 12, 30).strftime(form)  # the same on every day

    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = strftime_now
    strftime_now("%d %B %Y")
    for text in _WARM:  # what Jinja imports when it first needs it
        with contextlib.suppress(jinja2.TemplateError, ArithmeticError, TypeError):
            environment.from_string(text).render(a="b", n=1.5)
    _refuse()
    compiled: dict[str, jinja2.Template] = {}
    answers: list[list[str]] = []
    for one in asked["conversations"]:
        text = asked["templates"]["tools" if one["tools"] is not None else "plain"]
        try:
            if text not in compiled:
                compiled[text] = environment.from_string(text)
            prompt = _prompt(compiled[text], one, asked["special"])
        except MemoryError:
            return {"fault": "the template wants more memory than a prompt can need"}
        except jinja2.TemplateSyntaxError as error:
            return {"fault": f"the template is not Jinja: line {error.lineno}: {error.message}"}
        except (jinja2.UndefinedError, jinja2.exceptions.SecurityError, RecursionError) as error:
            prompt = f"{_FAILED}{type(error).__name__}: {error}"
        except jinja2.TemplateError as error:
            prompt = f"{_FAILED}{error}"
        except Exception as error:
            prompt = f"{_FAILED}{type(error).__name__}"
        answers.append([one["label"], prompt[:_LONGEST]])
    return {"answers": answers}


def _prompt(template: Any, one: dict[str, Any], special: dict[str, Any]) -> str:
    parts: list[str] = []
    size = 0
    arguments = {**special, **one["extra"]}
    for part in template.generate(
        messages=one["messages"], tools=one["tools"], documents=None, add_generation_prompt=one["prompt"], **arguments
    ):
        size += len(part)
        parts.append(part)
        if size > _LONGEST:
            break
    return "".join(parts)


class _UnreadError(Exception):
    """The library does not read the file."""


def _texts(asked: dict[str, Any]) -> dict[str, Any]:
    """What a tokenizer makes of each text."""
    try:
        answer = _ENCODERS[asked["kind"]](asked)
    except _UnreadError as error:
        return {"fault": str(error)}
    _refuse()
    return {"answers": [[text, *answer(text)] for text in asked["texts"]]}


def _apart(asked: dict[str, Any]) -> dict[str, Any]:
    """The shortest text that two tokenizers answer differently: of the texts, of what the tokens named decode to, of
    the pieces of all of these, and of what is left where characters are taken out of the shortest."""
    import time

    ends = time.monotonic() + asked["seconds"]
    try:
        sides = [_ENCODERS[side["kind"]](side) for side in asked["sides"]]
    except _UnreadError as error:
        return {"fault": str(error)}
    _refuse()

    def answer(side: int, text: str) -> Any:
        try:
            return sides[side](text)
        except Exception as error:
            return [], f"{type(error).__name__}"

    def differs(text: str) -> bool:
        return bool(answer(0, text) != answer(1, text))

    texts = {text for text in (*asked["texts"], *asked["named"]) if 0 < len(text) <= 64}
    best = next((text for text in sorted(texts, key=_by_length) if differs(text)), "")
    if not best:
        return {"answers": []}
    whole = sorted(texts, key=_by_length)
    for size in range(1, len(best)):
        pieces = {text[at : at + size] for text in whole for at in range(len(text) - size + 1)}
        shorter = next((piece for piece in sorted(pieces) if time.monotonic() < ends and differs(piece)), "")
        if shorter:
            best = shorter
            break
    at = 0
    while at < len(best) and len(best) > 1 and time.monotonic() < ends:
        less = best[:at] + best[at + 1 :]
        best, at = (less, 0) if differs(less) else (best, at + 1)
    return {"answers": [[best, *answer(side, best)] for side in (0, 1)]}


def _by_length(text: str) -> tuple[int, str]:
    return len(text), text


def _tokens(asked: dict[str, Any]) -> _Answer:
    from tokenizers import AddedToken, Tokenizer

    with open(asked["path"], encoding="utf-8") as file:
        text = file.read()
    try:
        tokenizer: Any = Tokenizer.from_str(text)
    except Exception as error:
        raise _UnreadError(f"the tokenizers library does not read the file: {str(error)[:300]}") from None
    del text
    for token in asked["added"]:
        flags = dict.fromkeys(token["flags"], True)
        tokenizer.add_tokens(
            [AddedToken(token["content"], **{**dict.fromkeys(("normalized", "special"), False), **flags})]
        )
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def answer(text: str) -> tuple[list[int], str]:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        return ids, tokenizer.decode(ids, skip_special_tokens=False)

    return answer


def _pieces(asked: dict[str, Any]) -> _Answer:
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor()
    with open(asked["path"], "rb") as file:
        model = file.read()
    try:
        processor.LoadFromSerializedProto(model)
    except Exception as error:
        raise _UnreadError(f"SentencePiece does not read the file: {str(error)[:300]}") from None

    def answer(text: str) -> tuple[list[int], str]:
        ids = processor.EncodeAsIds(text)
        return ids, processor.DecodeIds(ids)

    return answer


def _ranks(asked: dict[str, Any]) -> _Answer:
    import base64
    import unicodedata

    import tiktoken

    with open(asked["path"], "rb") as file:
        data = file.read()
    if asked["tekken"]:
        listed = [(entry["rank"], entry["token_bytes"]) for entry in json.loads(data)["vocab"]]
    else:
        lines = (line.split() for line in data.splitlines() if line.strip())
        listed = [(int(rank), token) for token, rank in lines]
    del data
    first = asked["first"]  # the id of rank 0: special tokens stand in front of the ranks
    try:
        ranks = {base64.b64decode(token, validate=True): rank for rank, token in sorted(listed)[: asked["most"]]}
    except ValueError:
        raise _UnreadError("expected the tokens in base64") from None
    lacking = [byte for byte in range(256) if bytes([byte]) not in ranks]
    if lacking:
        raise _UnreadError(f"expected a rank for each byte, found none for 0x{lacking[0]:02x}")
    if len(set(ranks.values())) != len(ranks) or min(ranks.values()) < 0 or max(ranks.values()) >= 2**31:
        raise _UnreadError("expected ranks from 0 to 2147483647, each once")
    try:
        encoding = tiktoken.Encoding("inspected", pat_str=asked["pattern"], mergeable_ranks=ranks, special_tokens={})
    except Exception as error:
        raise _UnreadError(f"tiktoken does not read the file: {str(error)[:300]}") from None

    def answer(text: str) -> tuple[list[int], str]:
        plain = encoding.encode_ordinary(unicodedata.normalize("NFC", text) if asked["nfc"] else text)
        return [first + rank for rank in plain], encoding.decode(plain)

    return answer


_ENCODERS: dict[str, Callable[[dict[str, Any]], _Answer]] = {"tokens": _tokens, "pieces": _pieces, "ranks": _ranks}

if __name__ == "__main__":
    try:
        main()
    except MemoryError:
        sys.stdout.write('{"fault": "it takes more memory than is allowed here"}')
