"""What trainers' configurations say of the training run, by the names that each of them has for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec

from askew.evidence.document import Node
from askew.facts.types import Value
from askew.platforms.kubernetes.observe import observed, scalar
from askew.resolve.observation import Confidence, Observation, Unknown

Get = Callable[[str], Node]
DTYPE, SEED = "model.training.dtype", "model.training.seed"
BASE, REVISION, LENGTH = "model.training.base_model", "model.training.base_revision", "model.training.sequence_length"
_LOOK = "the trainer's log, or the dtype of the checkpoint"


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """The names of one trainer's settings; dots lead into maps. ``auto`` says what ``auto`` depends on."""

    bfloat16: tuple[str, ...] = ("bf16",)
    float16: tuple[str, ...] = ("fp16",)
    dtype: tuple[str, ...] = ()
    base: tuple[str, ...] = ()
    revision: tuple[str, ...] = ()
    seed: tuple[str, ...] = ("seed",)
    length: tuple[str, ...] = ()
    auto: str = "auto: decided when training starts"


NAMES: Mapping[str, Names] = {
    # TrainingArguments; max_seq_length is of TRL's SFTConfig. max_length is left out: of a model's config it is the
    # default length of generation.
    "trainer": Names(
        base=("model_name_or_path", "model_id"), revision=("model_revision",), length=("max_seq_length",)
    ),
    "axolotl": Names(
        bfloat16=("bf16", "bfloat16"), float16=("fp16", "float16"), base=("base_model",),
        revision=("revision_of_model",), length=("sequence_len",), auto="auto: bfloat16 where the GPU has it",
    ),
    "llama-factory": Names(
        bfloat16=("bf16", "pure_bf16"), base=("model_name_or_path",), revision=("model_revision",),
        length=("cutoff_len",),
    ),
    "torchtune": Names(bfloat16=(), float16=(), dtype=("dtype",), length=("tokenizer.max_seq_len",)),
    "deepspeed": Names(
        bfloat16=("bf16.enabled", "bfloat16.enabled"), float16=("fp16.enabled",), seed=(),
        auto="auto: taken from the trainer's arguments",
    ),
    "accelerate": Names(bfloat16=(), float16=(), dtype=("mixed_precision",), seed=()),
    "adapter": Names(bfloat16=(), float16=(), base=("base_model_name_or_path",), revision=("revision",), seed=()),
    "wandb-config": Names(
        base=("model_name_or_path", "base_model", "_name_or_path", "model/name"), revision=("model_revision",),
        length=("max_seq_length", "sequence_len", "cutoff_len"),
    ),
}  # fmt: skip
# Names of parameters that pipelines of one's own mostly give; what else they mean is not guessed.
PARAMETERS = Names(
    base=("base_model", "model_name_or_path"), revision=("model_revision", "revision_of_model"),
    seed=("seed", "random_seed", "random_state"), length=("max_seq_length", "sequence_len", "cutoff_len"),
)  # fmt: skip


def of_settings(get: Get, names: Names, confidence: Confidence = "certain") -> Iterator[Observation]:
    """The facts that a configuration states. ``get`` finds the node of a name; a missing one where there is none."""
    yield from _dtype(get, names, confidence)
    for fact, options in (
        (BASE, names.base), (REVISION, names.revision), (SEED, names.seed), (LENGTH, names.length),
    ):  # fmt: skip
        node = next((one for one in map(get, options) if one.exists and one.value not in (None, "")), None)
        if node is not None:
            yield observed(fact, _value(node), node.location, origin="model", confidence=confidence)


def _value(node: Node) -> Value | Unknown:
    text = node.text()
    if text is not None and ("${" in text or text == "auto"):
        return Unknown("filled in when training starts", _LOOK, text)
    return scalar(node.value)


def _dtype(get: Get, names: Names, confidence: Confidence) -> Iterator[Observation]:
    for name in names.dtype:
        node = get(name)
        if node.text() and (node.text() or "").lower() not in ("no", "none", "false", "auto"):
            yield observed(DTYPE, _value(node), node.location, origin="model", confidence=confidence)
            return
    chosen: list[tuple[str, Node]] = []
    open_ = None
    for dtype, options in (("bfloat16", names.bfloat16), ("float16", names.float16)):
        for node in map(get, options):
            text = (node.text() or "").lower()
            if node.boolean() or text == "full":
                chosen.append((dtype, node))
            elif text == "auto":
                open_ = open_ or node
    if len({dtype for dtype, _ in chosen}) == 1:
        yield observed(DTYPE, chosen[0][0], chosen[0][1].location, origin="model", confidence=confidence)
    elif chosen:
        reason = Unknown("both bfloat16 and float16 are on", _LOOK)
        yield observed(DTYPE, reason, *(node.location for _, node in chosen), origin="model")
    elif open_ is not None:
        yield observed(DTYPE, Unknown(names.auto, _LOOK, "auto"), open_.location, origin="model")


def at(root: Node) -> Get:
    """Finds settings by name, dots leading into maps; of a W&B configuration use ``tracked``."""
    return lambda name: root[name] if name in root else root.get(*name.split("."))


def tracked(root: Node) -> Get:
    """Finds settings of a W&B run's ``config.yaml``, where each is ``{value: …}``."""
    return lambda name: root[name]["value"]
