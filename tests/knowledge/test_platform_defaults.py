from __future__ import annotations

import re
from itertools import pairwise

import pytest

from askew.facts.catalogue import FACTS
from askew.knowledge.platform_defaults import (
    PlatformDefault,
    catalogue,
    changed,
    default_of,
    numbers,
    states_of,
)


@pytest.mark.parametrize("row", catalogue(), ids=lambda row: row.id)
def test_every_default_cites_a_public_source_and_says_how_it_was_read(row: PlatformDefault):
    assert row.source.startswith("https://")
    assert row.citation.source == row.source
    assert row.read
    assert row.where
    assert "recall" not in row.read


@pytest.mark.parametrize("row", [row for row in catalogue() if row.fact], ids=lambda row: row.id)
def test_every_value_is_one_of_its_fact(row: PlatformDefault):
    kind = FACTS[row.fact].type
    if row.key and kind.entry is not None:
        kind = kind.entry(row.key)
    assert kind.parse(row.value) == row.value


def test_ids_are_unique_and_releases_are_releases():
    assert len({row.id for row in catalogue()}) == len(catalogue())
    for row in catalogue():
        for release in (row.since, row.until):
            assert not release or re.fullmatch(r"\d+(\.\d+)*", release), row.id


def test_the_states_of_a_default_follow_one_another_without_overlap():
    for row in catalogue():
        states = states_of(row.component, row.setting)
        for one, next_one in pairwise(states):
            assert one.until
            assert one.until == next_one.since
            assert numbers(one.since) < numbers(one.until)
        assert not states[-1].until


def test_a_release_gets_the_state_that_it_had():
    assert default_of("istio", "DestinationRule.http.idleTimeout", "1.4.3").value == "unlimited"
    assert default_of("istio", "DestinationRule.http.idleTimeout", "v1.5.0").value == 3600
    assert default_of("istio", "DestinationRule.http.idleTimeout").value == 3600
    assert "unlimited before 1.5.0" in changed("istio", "DestinationRule.http.idleTimeout")
    assert changed("ingress-nginx", "proxy-read-timeout") == ""


def test_what_nobody_has_read_is_an_error_and_not_a_guess():
    with pytest.raises(KeyError):
        default_of("ingress-nginx", "no-such-setting")
