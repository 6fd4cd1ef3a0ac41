"""Read a release of Text Embeddings Inference from its source, as text: nothing is compiled or run.

Arguments are the fields of ``struct Args`` of the router; variables those, and what the router and the backends read
besides; ``image PORT`` is what the Dockerfiles set.
"""

from __future__ import annotations

import pathlib
import re

from tools.engines import rust
from tools.engines.reader import Content, Reader, Repository, Things

MAIN = "router/src/main.rs"
# Left out by the user, these are decided at start; the others are simply absent.
DECIDED = ("dtype", "pooling", "tokenization_workers", "served_model_name", "max_batch_requests")
RULES = {
    "backends/src/dtype.rs": ("default",),
    "router/src/lib.rs": ("run", "get_backend_model_type"),
    MAIN: ("main",),
    "backends/candle/src/compute_cap.rs": ("compute_cap_matching",),
}
STRUCTS = {
    "EmbedRequest": "/embed",
    "EmbedAllRequest": "/embed_all",
    "EmbedSparseRequest": "/embed_sparse",
    "OpenAICompatRequest": "/v1/embeddings",
    "PredictRequest": "/predict",
    "RerankRequest": "/rerank",
    "SimilarityParameters": "/similarity",
}
_INNER = frozenset(("GIT_SHA", "DOCKER_LABEL", "VERGEN_GIT_SHA", "RANK", "WORLD_SIZE"))
_LARGEST = re.compile(r"fn max_batch_size\(&self\)[^{]*\{(.*?)\n    \}", re.DOTALL)


def release(root: pathlib.Path) -> Content:
    """What one release has."""
    text = _text(root, MAIN)
    arguments = rust.arguments(text, MAIN, DECIDED)
    if not arguments:
        raise SystemExit(f"{root}: no struct Args in {MAIN}. Hint: give the text of a release")
    found = rust.python_variables(rust.sources(root, ("backends/python/server/text_embeddings_server",), ".py"))
    found.update(rust.rust_variables(rust.sources(root, ("router", "core", "backends"), ".rs")))
    for path, code in rust.sources(root, ("backends/src",), ".rs"):
        for match in re.finditer(r'read_env_var\("([A-Z_]+)", (\d+)\)', code):
            line = code[: match.start()].count("\n") + 1
            found[match[1]] = {"at": f"{path}:{line}", "value": int(match[2])}
    found.update(rust.argument_variables(text, MAIN))
    for path, prefix in (("Dockerfile-cuda", "image"), ("Dockerfile", "image cpu")):
        arguments.update(rust.image(_text(root, path), path, {"PORT": "PORT"}, prefix))
    arguments.update(_largest_batches(root))
    rules: Things = {}
    for path, names in RULES.items():
        for name, entry in rust.digests(_text(root, path), path, names).items():
            rules[{"default": "DType::default"}.get(name, name)] = entry
    requests: Things = {}
    for path in ("router/src/http/types.rs", "router/src/lib.rs"):
        for name, entry in rust.requests(_text(root, path), path, STRUCTS).items():
            requests.setdefault(name, entry)
    kinds = {
        "arguments": arguments,
        "variables": {name: entry for name, entry in found.items() if name not in _INNER},
        "metrics": rust.metrics(rust.sources(root, ("router", "core", "backends"), ".rs"), "te_"),
        "requests": requests,
        "packages": rust.built(_text(root, "Dockerfile-cuda"), "Dockerfile-cuda"),
        "rules": rules,
    }
    return {kind: dict(sorted(things.items())) for kind, things in kinds.items()}


def _largest_batches(root: pathlib.Path) -> Things:
    """The most requests of one batch that a backend runs on a CPU, whatever is asked for."""
    found: Things = {}
    for name in ("candle", "ort"):
        path = f"backends/{name}/src/lib.rs"
        text = _text(root, path)
        body = _LARGEST.search(text)
        limit = re.search(r"Some\((\d+)\)", body[1]) if body else None
        if body and limit:
            line = text[: body.start(1)].count("\n") + body[1][: limit.start()].count("\n") + 1
            found[f"image cpu largest batch of {name}"] = {"at": f"{path}:{line}", "value": int(limit[1])}
    return found


def _text(root: pathlib.Path, path: str) -> str:
    file = root / path
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""


READER = Reader(
    engine="tei",
    source=Repository(
        slug="huggingface/text-embeddings-inference",
        oldest="0.1.0",
        tags=r"v(\d+\.\d+\.\d+)",
        paths=("router/src", "core/src", "backends", "Dockerfile", "Dockerfile-cuda"),
    ),
    read=release,
)
