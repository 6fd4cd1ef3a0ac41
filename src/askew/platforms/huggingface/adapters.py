"""``adapter_config.json``: what an adapter changes. Of which model it was trained, the records of training tell.

Source: ``PeftConfig`` and ``LoraConfig`` of peft, https://huggingface.co/docs/peft/package_reference/lora
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.evidence.document import Node
from askew.facts.types import Value
from askew.platforms.kubernetes.observe import observed, scalar
from askew.resolve.observation import Observation

# The settings that change what an adapter computes; what peft leaves out or sets to these is the same.
_NEUTRAL = {"use_rslora": False, "use_dora": False, "fan_in_fan_out": False, "bias": "none"}
_PATTERNS = ("rank_pattern", "alpha_pattern")


def of_adapter(root: Node) -> Iterator[Observation]:
    """The one adapter of a directory, without a name: whoever serves it gives it one."""
    found: dict[str, Value] = {}
    for key, name in (
        ("base_model", "base_model_name_or_path"), ("type", "peft_type"), ("rank", "r"), ("alpha", "lora_alpha"),
    ):  # fmt: skip
        if root[name].exists and root[name].value is not None:
            found[key] = scalar(root[name].value)
    for key, name in (("targets", "target_modules"), ("saved", "modules_to_save"), ("layers", "layers_to_transform")):
        node = root[name]
        if node.is_sequence:  # peft keeps sets, and writes them in any order
            found[key] = [*sorted(str(one.value) for one in node.each())]
        elif node.exists and node.value is not None:
            found[key] = scalar(node.value)
    for name, neutral in _NEUTRAL.items():
        node = root[name]
        if node.exists and node.value is not None and node.value != neutral:
            found[name] = scalar(node.value)
    for name in _PATTERNS:
        if root[name].is_mapping and root[name].value:
            found[name] = scalar(root[name].value)
    yield observed("model.lora_adapters", [found], root.location, origin="model")
