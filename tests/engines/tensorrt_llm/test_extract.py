"""The extractor of TensorRT-LLM reads metadata as text, and lays the documented defaults beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from askew.engines.versions import release_key
from tools.engines.extract_tensorrt_llm import DOCUMENTED, documented, release

METADATA = """\
Metadata-Version: 2.1
Name: tensorrt_llm
Version: {}
Requires-Dist: numpy<2
Requires-Dist: torch<=2.8.0a0,>=2.7.1
Requires-Dist: nvidia-modelopt[torch]~=0.33.0
Requires-Dist: transformers==4.53.1
Requires-Dist: triton==3.3.1; platform_machine == "x86_64"
Requires-Dist: tensorrt==1; extra == "devel"
"""


def test_pins_and_defaults_of_a_release(tmp_path: Path) -> None:
    (tmp_path / "PKG-INFO").write_text(METADATA.format("1.0.0"))
    found = release(tmp_path)
    assert {name: state["value"] for name, state in found["packages"].items()} == {
        "torch": "<=2.8.0a0,>=2.7.1", "nvidia-modelopt": "~=0.33.0", "transformers": "==4.53.1", "triton": "==3.3.1",
    }  # fmt: skip
    assert found["packages"]["torch"]["at"] == "PKG-INFO:5"
    assert found["arguments"]["--backend"]["value"] == "pytorch"


@pytest.mark.parametrize(
    ("version", "name", "value"),
    [
        ("0.14.0", "--backend", None),
        ("0.15.0", "--backend", "tensorrt"),
        ("1.0.0", "--backend", "pytorch"),
        ("0.13.0", "trtllm-build --max_batch_size", 256),
        ("1.2.1", "trtllm-build --max_batch_size", 2048),
    ],
)
def test_the_last_state_before_a_release_holds(version: str, name: str, value: object) -> None:
    assert documented(version).get(name, {}).get("value") == value


def test_what_was_removed_is_gone() -> None:
    assert "trtllm-build --enable_xqa" in documented("0.15.0")
    assert "trtllm-build --enable_xqa" not in documented("0.16.0")


def test_the_table_is_in_order_and_cites() -> None:
    last: dict[str, tuple[int, ...]] = {}
    for one in DOCUMENTED:
        assert release_key(one.since) > last.get(one.name, ()), one.name
        last[one.name] = release_key(one.since)
        path, sign, line = one.at.rpartition(":")
        assert path
        assert sign
        assert not line or line.isdigit()
