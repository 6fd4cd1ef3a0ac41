"""The one error of value parsing."""

from __future__ import annotations

# Longest text any value parser looks at. Real values are far shorter; the limit keeps hostile input cheap,
# since Python's int() and float() cost more than linear time in the number of digits.
LONGEST = 256


class ValueNotUnderstood(ValueError):  # noqa: N818 - it is read as a sentence where it is caught
    """A text that is no value of the expected kind. The message says what was expected, with an example."""

    def __init__(self, text: object, expected: str, example: str, hint: str = "") -> None:
        self.text = text
        self.expected = expected
        self.example = example
        self.hint = hint
        message = f"{shown(text)} is not {expected} (for example {example})"
        super().__init__(f"{message}; {hint}" if hint else message)


def shown(text: object) -> str:
    """The text quoted for a message, cut to a readable length."""
    quoted = repr(text)
    return quoted if len(quoted) <= 80 else quoted[:77] + "..."
