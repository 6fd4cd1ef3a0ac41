"""Read a release of TGI from its source, as text: nothing is compiled or run.

Arguments are the fields of ``struct Args`` of the launcher; variables those, and what the launcher, the router and the
Python server read besides; metrics and request fields are the router's; ``image NAME`` is what a Dockerfile sets.
"""

from __future__ import annotations

import pathlib

from tools.engines import rust
from tools.engines.reader import Content, Reader, Repository, Things

LAUNCHER, ROUTER = "launcher/src/main.rs", "router/src/lib.rs"
SERVER = "server/text_generation_server"
# Left out by the user, these are decided by `main` or by the server at warm-up; the others are simply absent.
DECIDED = (
    "num_shard", "quantize", "dtype", "kv_cache_dtype", "max_input_tokens", "max_input_length", "max_total_tokens",
    "max_batch_prefill_tokens", "max_batch_total_tokens", "cuda_graphs", "sharded",
)  # fmt: skip
PINS = ("server/requirements.txt", "server/requirements_cuda.txt")
# What computes defaults, by file.
RULES = {
    LAUNCHER: ("resolve_attention", "compute_optimal", "vram_maximum", "f16_flop", "flop", "find_num_shards", "main"),
    "router/src/validation.rs": ("validate_input", "validate"),
}
STRUCTS = {
    "GenerateParameters": "/generate",
    "ChatRequest": "/v1/chat/completions",
    "CompletionRequest": "/v1/completions",
}
# Variables that images set, by the name that they have today.
IMAGE = {name: name for name in ("PORT", "ATTENTION", "PREFIX_CACHING", "PREFILL_CHUNKING", "CUDA_GRAPHS")}
IMAGE["USE_PREFIX_CACHING"] = "PREFIX_CACHING"
DOCKERFILES = {
    "Dockerfile": "image",
    "Dockerfile_amd": "image rocm",
    "Dockerfile_intel": "image intel",
    "Dockerfile_gaudi": "image gaudi",
}
# What the launcher sets for its own processes, and what only its build reads.
_INNER = frozenset(
    ("RANK", "WORLD_SIZE", "LOCAL_RANK", "SLURM_LOCALID", "GIT_SHA", "DOCKER_LABEL", "VERGEN_GIT_SHA", "DEBUG")
)


def release(root: pathlib.Path) -> Content:
    """What one release has."""
    launcher = _text(root, LAUNCHER)
    arguments = rust.arguments(launcher, LAUNCHER, DECIDED)
    if not arguments:
        raise SystemExit(f"{root}: no struct Args in {LAUNCHER}. Hint: give the text of a release")
    # The server first: what it falls back to stands there; the launcher's own variables come after.
    found = rust.python_variables(rust.sources(root, (SERVER,), ".py"))
    for name, entry in rust.rust_variables(rust.sources(root, ("launcher", "router", "backends"), ".rs")).items():
        if name not in found or "value" not in found[name]:
            found[name] = {**entry, **({"value": found[name]["value"]} if "value" in found.get(name, {}) else {})}
    found.update(rust.argument_variables(launcher, LAUNCHER))
    for name in ("ATTENTION", "PREFIX_CACHING", "USE_PREFIX_CACHING"):
        if name in found:  # the launcher sets them for the processes it starts: resolve_attention
            found[name] = {"at": found[name]["at"], "kind": "rule"}
    for path, prefix in DOCKERFILES.items():
        arguments.update(rust.image(_text(root, path), path, IMAGE, prefix))
    packages = rust.built(_text(root, "Dockerfile"), "Dockerfile")
    for path in PINS:
        packages.update(rust.pinned(_text(root, path), path, ("torch", "transformers", "tokenizers")))
    rules: Things = {}
    for path, names in RULES.items():
        rules.update(rust.digests(_text(root, path), path, names))
    return {
        "arguments": _sorted(arguments),
        "variables": _sorted({name: entry for name, entry in found.items() if name not in _INNER}),
        "metrics": _sorted(rust.metrics(rust.sources(root, ("router", "backends"), ".rs"), "tgi_(?!trtllm)")),
        "requests": _sorted(_requests(root)),
        "packages": _sorted(packages),
        "rules": _sorted(rules),
    }


def _requests(root: pathlib.Path) -> Things:
    """Fields of requests. What a chat or completion request gets that names no limit stands where it is used."""
    text = _text(root, ROUTER)
    found = rust.requests(text, ROUTER, STRUCTS)
    for path in (ROUTER, "router/src/server.rs"):
        for number, line in enumerate(_text(root, path).split("\n"), 1):
            if "max_tokens.or(Some(100))" in line:
                for endpoint in ("/v1/chat/completions", "/v1/completions"):
                    if f"{endpoint} max_tokens" in found:
                        found[f"{endpoint} max_tokens"] = {"at": f"{path}:{number}", "value": 100}
    return found


def _text(root: pathlib.Path, path: str) -> str:
    file = root / path
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""


def _sorted(things: Things) -> Things:
    return dict(sorted(things.items()))


READER = Reader(
    engine="tgi",
    source=Repository(
        slug="huggingface/text-generation-inference",
        oldest="0.2.0",
        tags=r"v(\d+\.\d+\.\d+)",
        paths=("launcher/src", "router", "backends", SERVER, *PINS, *DOCKERFILES),
    ),
    read=release,
)  # fmt: skip
