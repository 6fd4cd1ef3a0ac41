"""Which record of training a document is, by its shape and never by its name alone.

Sources of the shapes: https://mlflow.org/docs/latest/ml/model/ (MLmodel),
https://huggingface.co/docs/transformers/main_classes/trainer (arguments, state),
https://huggingface.co/docs/peft/package_reference/config (adapters),
https://docs.axolotl.ai/docs/config-reference.html, https://github.com/hiyouga/LLaMA-Factory/tree/main/examples,
https://github.com/pytorch/torchtune/tree/main/recipes/configs, https://www.deepspeed.ai/docs/config-json/,
https://huggingface.co/docs/accelerate/package_reference/cli, https://dvc.org/doc/user-guide/project-structure and
https://docs.wandb.ai/guides/track/config
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from askew.evidence.document import Document, Node
from askew.platforms.packages.read import form as list_form

Form: TypeAlias = Literal[
    "", "mlmodel", "python-env", "packages", "trainer-state", "trainer", "adapter", "axolotl", "llama-factory",
    "torchtune", "deepspeed", "accelerate", "dvc-lock", "dvc", "wandb-config", "wandb-metadata",
]  # fmt: skip
_STAGES = frozenset(("pt", "sft", "rm", "ppo", "dpo", "kto", "orpo", "simpo"))
_BATCH = "per_device_train_batch_size"
_WHEN = ("output_dir", "learning_rate", "num_train_epochs", "max_steps", "gradient_accumulation_steps")


def form(document: Document) -> Form:
    """The record that a document is; empty for none, and for everything of Kubernetes."""
    root = document.root
    if not root.is_mapping or root["kind"].exists or root["apiVersion"].exists or root["services"].exists:
        return ""
    if root["flavors"].is_mapping and _any(root, "mlflow_version", "model_uuid", "artifact_path", "utc_time_created"):
        return "mlmodel"
    if root["log_history"].is_sequence and root["global_step"].exists:
        return "trainer-state"
    if isinstance(root["peft_type"].value, str):
        return "adapter"
    if _is_wandb(root):
        return "wandb-config"
    return _trainer(root) or _tracked(root) or _environment(document)


def is_record(document: Document) -> bool:
    """Whether a document is a record of training by its shape alone. A list of packages is none: whoever points at it
    says of which side it is."""
    return form(document) not in ("", "packages", "python-env")


def _trainer(root: Node) -> Form:
    named = isinstance(root["model_name_or_path"].value, str)
    if (named and root["stage"].value in _STAGES) or isinstance(root["finetuning_type"].value, str):
        return "llama-factory"
    if isinstance(root["base_model"].value, str) and (
        root["datasets"].is_sequence or _any(root, "micro_batch_size", "sequence_len")
    ):
        return "axolotl"
    if any(isinstance(root[part]["_component_"].value, str) for part in ("model", "tokenizer", "optimizer", "loss")):
        return "torchtune"
    if root[_BATCH].exists and _any(root, *_WHEN):
        return "trainer"
    halves = root["fp16"].is_mapping or root["bf16"].is_mapping or root["bfloat16"].is_mapping
    batches = _any(root, "train_batch_size", "train_micro_batch_size_per_gpu", "gradient_accumulation_steps")
    if root["zero_optimization"].is_mapping or (halves and batches):
        return "deepspeed"
    if isinstance(root["distributed_type"].value, str) and _any(root, "mixed_precision", "compute_environment"):
        return "accelerate"
    return ""


def _tracked(root: Node) -> Form:
    if root["stages"].is_mapping and any(
        stage["cmd"].exists or stage["do"].is_mapping for _, stage in root["stages"].items()
    ):
        return "dvc-lock" if root["schema"].exists else "dvc"
    if _any(root, "startedAt", "heartbeatAt") and root["python"].exists and _any(root, "program", "codePath", "host"):
        return "wandb-metadata"
    return ""


def _environment(document: Document) -> Form:
    root = document.root
    if root["python"].text() and (root["dependencies"].is_sequence or root["build_dependencies"].is_sequence):
        return "python-env"
    return "packages" if list_form(document) else ""


def _any(root: Node, *names: str) -> bool:
    return any(root[name].exists for name in names)


def _is_wandb(root: Node) -> bool:
    """Every entry of a run's ``config.yaml`` is ``{desc: …, value: …}``; W&B's own are in ``_wandb``."""
    own = root["_wandb"].is_mapping or root["wandb_version"].exists
    return own and all(
        (node.is_mapping and (node["value"].exists or node["desc"].exists)) or key in ("wandb_version", "_wandb")
        for key, node in root.items()
    )
