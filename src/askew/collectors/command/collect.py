"""``cmd:"vllm serve …"``: the command is the evidence; nothing is read and nothing is run."""

from __future__ import annotations

from askew.collectors.interface import Capability, Evidence, Request, Text
from askew.collectors.reading import MAX_TEXT_BYTES, Reader, redacted_text
from askew.evidence.redaction import Redactor


class CommandCollector:
    """A command line as someone would type it."""

    name = "command"
    schemes: tuple[str, ...] = ("cmd",)
    capabilities: tuple[Capability, ...] = ()

    def collect(self, request: Request, redactor: Redactor) -> Evidence:
        """The command line, redacted, under the source name ``cmd:``."""
        reader = Reader(redactor)
        text = request.target
        if not text.strip():
            reader.fail("cmd:", "the command is empty", "write it behind the colon: cmd:'vllm serve org/model'")
        elif len(text) > MAX_TEXT_BYTES or "\0" in text:
            reader.fail("cmd:", "this is no command line", "write it as it is typed: cmd:'vllm serve org/model'")
        else:
            reader.texts.append(Text(source="cmd:", text=redacted_text(text, redactor)))
        # The command may hold a secret, so the URI is shown redacted too.
        return reader.evidence(redactor.text(request.uri), "", "")


COLLECTOR = CommandCollector()
