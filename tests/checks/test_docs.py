"""A check's docstring is its page: it has all sections, in order, and cites what it claims."""

from __future__ import annotations

import re
import sys

import pytest

from askew.app import registry
from askew.checks.interface import Check
from askew.facts.catalogue import FACTS

SECTIONS = ("What it finds", "Why it matters", "Example", "Remedy", "When it is fine", "References")
CHECKS = list(registry.checks())


def page(one: Check) -> str:
    text = sys.modules[one.run.__module__].__doc__
    assert text
    return text


@pytest.mark.parametrize("one", CHECKS, ids=lambda one: one.id)
def test_page_has_its_sections_in_order(one: Check) -> None:
    text = page(one)
    assert tuple(re.findall(r"^## (.+)$", text, re.M)) == SECTIONS
    parts = re.split(r"^## .+$", text, flags=re.M)
    assert all(part.strip() for part in parts), "an empty section"
    assert re.search(r"https://\S+", parts[-1]), "the references name no public source"
    assert "```" in parts[3], "the example shows a piece of configuration"


@pytest.mark.parametrize("one", CHECKS, ids=lambda one: one.id)
def test_page_begins_with_the_title(one: Check) -> None:
    assert page(one).splitlines()[0].rstrip(".") == one.title.rstrip(".")


@pytest.mark.parametrize("one", CHECKS, ids=lambda one: one.id)
def test_declaration_is_whole(one: Check) -> None:
    module = one.run.__module__
    assert module == f"askew.checks.rules.{one.id.replace('-', '_')}"
    assert one.facts and set(one.facts) <= set(FACTS)
    assert one.id == one.id.lower() and " " not in one.id
