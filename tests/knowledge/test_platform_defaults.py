from __future__ import annotations

import pytest

from askew.knowledge.platform_defaults import catalogue, default_of


def test_every_default_cites_a_public_source():
    assert catalogue()
    for row in catalogue().values():
        assert row.source.startswith("https://")
        assert row.citation.source == row.source


def test_what_nobody_has_read_is_an_error_and_not_a_guess():
    with pytest.raises(KeyError):
        default_of("ingress-nginx", "no-such-setting")
