"""Files in which training leaves its records, read as they lie in a directory, and nothing else of it.

Their names only choose what is read; what a file is, its shape tells (``platforms.training``). A pickle is never read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable

from askew.collectors.files.collect import UnreadableError, read_bytes
from askew.collectors.interface import Text
from askew.collectors.reading import MAX_TEXT_BYTES, Reader

# Beside the weights of a model of Hugging Face's layout.
BESIDE = ("adapter_config.json", "trainer_state.json", "training_args.json", "README.md", "MLmodel")
RECORD = "#record"  # after the name of a file: it is read by ``platforms.training``
_ENVIRONMENTS = ("requirements.txt", "conda.yaml", "python_env.yaml", "environment.yml", "environment.yaml")
_DATA = (".yaml", ".yml", ".json")
_LOCKS = ("uv.lock", "poetry.lock", "pdm.lock", "pylock.toml", "dvc.lock")
# Large files of other things that lie in the same directories.
_OTHERS = frozenset(
    ("tokenizer.json", "vocab.json", "input_example.json", "serving_input_example.json", "special_tokens_map.json",
     "added_tokens.json", "config.json", "generation_config.json", "tokenizer_config.json", "wandb-summary.json",
     "preprocessor_config.json", "model.safetensors.index.json", "pytorch_model.bin.index.json", "eval_results.json",
     "all_results.json", "train_results.json", "model.json")
)  # fmt: skip
_LARGEST_DATA = 16 * 2**20  # trainer_state.json of a long run
_MOST_FILES = 200
_MOST_NAMES = 10_000


def names_of(path: str) -> list[str]:
    """The names of the files of a directory, sorted. Raises OSError."""
    with os.scandir(path) as scan:
        return sorted(entry.name for entry, _ in zip(scan, range(_MOST_NAMES), strict=False))


def beside(names: Iterable[str]) -> list[str]:
    """Those of a model's directory in Hugging Face's layout that are read: what trainers put there. Its requirements
    are mostly those of code that comes with the model, and say nothing of training."""
    chosen = [
        name
        for name in names
        if name in BESIDE
        or (name.endswith((".yaml", ".yml")) and name not in _ENVIRONMENTS)
        or (name.endswith(".json") and ("deepspeed" in name or name.startswith("ds_")))
    ]
    return chosen[:_MOST_FILES]


def wanted(names: Iterable[str]) -> list[str]:
    """Those of a directory of records that are read."""
    chosen = [
        name
        for name in names
        if name in (*BESIDE, *_ENVIRONMENTS, *_LOCKS)
        or (name.endswith(_DATA) and name not in _OTHERS)
        or (name.startswith("requirements") and name.endswith(".txt"))
    ]
    return chosen[:_MOST_FILES]


def add(reader: Reader, names: Iterable[str], shown: str, real: Callable[[str], str], *, record: str = RECORD) -> None:
    """Read records by their names. ``real`` gives where a file lies, empty where it may not be read."""
    for name in names:
        path = real(name)
        if path:
            add_file(reader, path, f"{shown}/{name}", record=record)


def add_file(reader: Reader, path: str, shown: str, *, record: str = RECORD) -> None:
    """Read one file: data as a document, everything else as a text whose name ends with ``record``."""
    reader.files += 1
    data = is_data(shown)
    try:
        content = read_bytes(path, _LARGEST_DATA if data else MAX_TEXT_BYTES)
    except UnreadableError as error:
        reader.fail(shown, error.message, error.hint)
        return
    if data:
        reader.add_manifest(shown, content, named=True)
        return
    text = reader.add_text(shown, content, variables=False, named=True)
    if text is not None and record:
        reader.texts[-1] = Text(source=shown + record, text=text.text)


def is_data(name: str) -> bool:
    """Whether a file is YAML or JSON by its name."""
    name = os.path.basename(name)
    return name.endswith(_DATA) or name in ("MLmodel", "dvc.lock", "Pipfile.lock")


def is_directory(path: str) -> bool:
    """Whether a path is a directory. Raises OSError, and ValueError for what is no path."""
    return stat.S_ISDIR(os.stat(path).st_mode)
