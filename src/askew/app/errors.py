"""Errors a user can make at the command line."""

from __future__ import annotations


class UsageError(Exception):
    """The request makes no sense as written. ``hint`` says what would."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(f"{message}\n  hint: {hint}")
        self.message = message
        self.hint = hint
