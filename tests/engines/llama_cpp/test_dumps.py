"""What a real llama.cpp server answered at ``/props`` and logged, beside what Askew says of the same settings."""

from __future__ import annotations

import json
import re
from pathlib import Path

from askew.engines.llama_cpp.engine import ENGINE
from askew.facts.types import Value
from tests.engines.dumps import Agreement, agreement, facts, launch

RUN = "recordings/llama.cpp-xllamacpp-2026.10.11549"
# The recorded server was started through the library, with these settings.
WORDS = (
    "llama-server -m /models/tiny.gguf --host 127.0.0.1 --port 18090 -c 512 -np 2 -a tiny-gguf --metrics --slots "
    "--no-warmup"
)
SAMPLING = {
    "temperature": "temperature",
    "top_k": "top_k",
    "top_p": "top_p",
    "min_p": "min_p",
    "typical_p": "typical_p",
    "repeat_penalty": "repetition_penalty",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
}


def agreements(shared: Path) -> list[Agreement]:
    """Every dump, with what agrees."""
    known = facts(ENGINE.read, launch(WORDS.split(), "ghcr.io/ggml-org/llama.cpp:server-b11549"), {})
    text = (shared / RUN / "props.http").read_text(encoding="utf-8")
    props = json.loads(text[text.index("{") :])
    params = props["default_generation_settings"]["params"]
    printed: dict[str, tuple[str, str, Value]] = {
        f"params.{name}": ("runtime.sampling_defaults", key, _plain(params[name])) for name, key in SAMPLING.items()
    }
    printed["params.n_predict"] = (
        "runtime.default_output_tokens",
        "",
        "unlimited" if params["n_predict"] == -1 else params["n_predict"],
    )
    printed["params.seed"] = ("runtime.seed", "", None if params["seed"] == 0xFFFFFFFF else params["seed"])
    printed["n_ctx"] = ("runtime.max_model_len", "", props["default_generation_settings"]["n_ctx"])
    printed["total_slots"] = ("runtime.max_num_seqs", "", props["total_slots"])
    printed["model_alias"] = ("model.served_names", "", [props["model_alias"]])
    printed["model_path"] = ("model.id", "", props["model_path"])
    log = (shared / RUN / "startup.log").read_text(encoding="utf-8")
    found = re.search(r"n_slots = (\d+), n_ctx_slot = (\d+), kv_unified = '(\w+)'", log)
    assert found is not None
    logged: dict[str, tuple[str, str, Value]] = {
        "n_slots": ("runtime.max_num_seqs", "", int(found[1])),
        "n_ctx_slot": ("runtime.max_model_len", "", int(found[2])),
    }
    return [agreement("/props", known, printed), agreement("start-up log", known, logged)]


def _plain(value: object) -> Value:
    return round(value, 6) if isinstance(value, float) else value  # type: ignore[return-value]  # JSON


def test_every_field_agrees(shared: Path) -> None:
    for one in agreements(shared):
        assert (one.agreeing, one.exceptions) == (one.total, ()), one.dump
