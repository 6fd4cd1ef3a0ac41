"""``preprocessor_config.json``, ``processor_config.json``: how images and sounds become the model's input.

Sources: image processors and feature extractors of transformers,
https://github.com/huggingface/transformers/blob/v4.57.1/src/transformers/image_processing_utils.py and
models/qwen2_vl/image_processing_qwen2_vl.py, where ``size`` holds what older files call ``min_pixels`` and
``max_pixels``.
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.evidence.document import Node
from askew.facts.types import Value
from askew.platforms.kubernetes.observe import Entry, observed, observed_map, scalar
from askew.resolve.observation import Observation, Unknown

_PARTS = ("image_processor", "feature_extractor")  # of newer files that keep everything in processor_config.json
_CLASSES = ("image_processor_type", "feature_extractor_type", "processor_class")
_SWITCHES = ("do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_pad", "do_convert_rgb")
_NUMBERS = ("resample", "rescale_factor", "patch_size", "merge_size", "temporal_patch_size")
_SIZES = ("size", "crop_size")


def of_processor(root: Node) -> Iterator[Observation]:
    """What the file states; what it leaves to the class is not said."""
    part = next((root[name] for name in _PARTS if root[name].is_mapping), root)
    name = next((part[key] for key in _CLASSES if isinstance(part[key].value, str)), None)
    kind = str(name.value) if name is not None else ""
    if name is not None:
        # The fast variant of a class is the same class, told apart by a fact of its own.
        yield observed("model.processor.class", kind.removesuffix("Fast"), name.location, origin="model")
    fast = part["use_fast"]
    if fast.boolean() is not None:
        yield observed("model.processor.use_fast", fast.boolean(), fast.location, origin="model")
    elif name is not None and kind.endswith("ImageProcessorFast"):
        yield observed("model.processor.use_fast", True, name.location, origin="model")
    by_pixels = part["size"]["shortest_edge"].exists and part["size"]["longest_edge"].exists
    by_pixels = by_pixels and kind.startswith(("Qwen2VL", "Qwen3VL", "Glm4v"))
    for fact, key, edge in (
        ("min_pixels", "min_pixels", "shortest_edge"),
        ("max_pixels", "max_pixels", "longest_edge"),
    ):
        node = part[key]
        if node.integer() is None and by_pixels:
            node = part["size"][edge]
        if node.integer() is not None:
            yield observed(f"model.processor.{fact}", node.integer(), node.location, origin="model")
    for fact, key in (("mean", "image_mean"), ("std", "image_std")):
        node = part[key]
        numbers: list[Value] = [scalar(one.value) for one in node.each()] if node.is_sequence else []
        if numbers:
            yield observed(f"model.processor.{fact}", numbers, node.location, origin="model")
    rate = part["sampling_rate"]
    if rate.integer() is not None:
        yield observed("model.processor.sampling_rate", rate.integer(), rate.location, origin="model")
    flip = part["do_flip_channel_order"]
    if flip.boolean() is not None:
        order = "bgr" if flip.boolean() else "rgb"
        yield observed("model.processor.channel_order", order, flip.location, origin="model")
    fact = "model.processor.resize"
    entries = dict(_resizing(part, by_pixels))
    if entries:
        yield from observed_map(fact, entries, part.location, origin="model")
    for size in _SIZES:
        if part[size].exists and part[size].value is not None and not part[size].is_mapping:
            reason = f"{size} is one number: whether it is the shorter edge or both is for the class to say"
            yield observed(fact, Unknown(reason, missing=True), part[size].location, origin="model")


def _resizing(part: Node, by_pixels: bool) -> Iterator[tuple[str, Entry]]:
    for name in (*_SWITCHES, *_NUMBERS):
        node = part[name]
        if node.exists and isinstance(node.value, (bool, int, float)):
            yield name, Entry(scalar(node.value), node.location)
    for name in _SIZES:
        node = part[name]
        if node.is_mapping and not (name == "size" and by_pixels):
            for edge, length in node.items():
                if length.integer() is not None:
                    yield f"{name}.{edge}", Entry(length.integer(), length.location)
