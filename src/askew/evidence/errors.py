"""What can go wrong while evidence is read."""

from __future__ import annotations


class EvidenceError(Exception):
    """Evidence could not be read. The message says where, what was expected, and ends with a hint."""


class DocumentError(EvidenceError):
    """A text is not the document it should be.

    ``line`` and ``column`` are 1-based; 0 means that the fault has no place in the text (the whole file is too
    large). ``message`` says what was expected and what stands there instead; ``hint`` says what to do about it.
    """

    def __init__(self, source: str, line: int, column: int, message: str, hint: str = "") -> None:
        self.source = source
        self.line = line
        self.column = column
        self.message = message
        self.hint = hint
        place = f"{source}:{line}:{column}" if line else source
        super().__init__(f"{place}: {message}" + (f"\nhint: {hint}" if hint else ""))

    def __reduce__(self) -> tuple[type[DocumentError], tuple[str, int, int, str, str]]:
        return type(self), (self.source, self.line, self.column, self.message, self.hint)
