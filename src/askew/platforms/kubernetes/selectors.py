"""Label selectors as the API server reads them from a query: ``app=llm,tier in (a, b),!canary``.

Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_TERM = re.compile(
    r"\s*(?:(?P<not>!)\s*)?(?P<key>[\w./-]+)\s*"
    r"(?:(?P<sign>==|=|!=)\s*(?P<value>[\w.-]*)|(?P<word>in|notin)\s*\((?P<set>[\w.,\s-]*)\))?\s*(?:,|$)"
)
_LONGEST = 4096


def selects(selector: str, labels: Mapping[str, str]) -> bool:
    """Whether labels meet a selector. False for an empty one, and for what is none."""
    if not selector.strip() or len(selector) > _LONGEST:
        return False
    at = 0
    while at < len(selector):
        match = _TERM.match(selector, at)
        if match is None or match.end() == at:
            return False
        if not _meets(match, labels):
            return False
        at = match.end()
    return True


def _meets(term: re.Match[str], labels: Mapping[str, str]) -> bool:
    value = labels.get(term["key"])
    if term["sign"]:
        return (value == term["value"]) != (term["sign"] == "!=")
    if term["word"]:
        among = value in [one.strip() for one in term["set"].split(",")]
        return among != (term["word"] == "notin")
    return (value is not None) != bool(term["not"])
