"""Where the words of a script stand in the file that holds it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from askew.evidence.launch import Token
from askew.evidence.location import Location
from askew.platforms.shell.parse import Place

Locate: TypeAlias = Callable[[Token, str, Location | None], Location]


class Locator:
    """Exact places of stretches of tokens, each looked up once and counted from the nearest one already known."""

    def __init__(self, locate: Locate | None) -> None:
        self._locate = locate
        self._known: dict[int, list[tuple[int, Location]]] = {}
        self._kept: list[Token] = []

    def __call__(self, place: Place) -> Location:
        token = place.token
        if self._locate is None or (place.start == 0 and place.end >= len(token.text)):
            return token.location
        fragment = token.text[place.start : place.end].split("\n", 1)[0]
        if not fragment.strip():
            return token.location
        if id(token) not in self._known:
            self._known[id(token)] = []
            self._kept.append(token)
        known = self._known[id(token)]
        at, after = -1, None
        for offset, location in known:
            if offset == place.start:
                return location
            if at < offset < place.start:
                at, after = offset, location
        # The next occurrence of the fragment may be an earlier one: step over those that lie between. Like
        # askew.evidence.document.Node.locate, which stands behind the usual ``locate``, prefer whole words.
        whole = re.compile(rf"(?<![\w./-]){re.escape(fragment)}(?![\w./-])")
        steps = [match.start() for match in whole.finditer(token.text, at + 1, place.end + 1)]
        if place.start not in steps:
            steps = []
            while (at := token.text.find(fragment, at + 1, place.end)) >= 0:
                steps.append(at)
        found = token.location
        if len(steps) > 200:
            return found
        for _ in range(steps.index(place.start) + 1 if place.start in steps else 0):
            found = after = self._locate(token, fragment, after)
        if found != token.location:  # a stretch that was not found is no place to count from
            known.append((place.start, found))
        return found
