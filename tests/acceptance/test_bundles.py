"""A bundle of any source that can be collected gives the report that the source gave."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from askew.app import registry
from tests.acceptance.test_canaries import CASES, SMI_TOOLS, Mode, Place
from tests.collectors.test_bundle import blind, everything, seal


@pytest.mark.parametrize("mode", ["whole", "broken"])
@pytest.mark.parametrize("scheme", [scheme for scheme in CASES if scheme not in SMI_TOOLS[1:]])
def test_a_bundle_of_every_kind_of_source(
    scheme: str, mode: Mode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if scheme not in ("", *registry.schemes()):
        pytest.skip(f"no collector for {scheme}: is installed")
    folder = tmp_path / "place"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    for name in ("KUBECONFIG", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with ExitStack() as stack:
        place = Place(folder, mode, stack, monkeypatch)
        for uri in CASES[scheme](place)[:4]:
            before = blind(everything(uri))
            (tmp_path / "b.tgz").write_bytes(seal([uri]))
            after = blind(everything(f"bundle:{tmp_path / 'b.tgz'}"))
            for name, text in before.items():
                assert after[name] == text, (uri, name)
