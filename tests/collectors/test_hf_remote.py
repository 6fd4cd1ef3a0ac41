"""Models in stores: the same facts and digests as from a directory, and errors that say what to do."""

from __future__ import annotations

import json
import os
import time
import uuid

import pytest

from askew.app.load import load
from askew.collectors.hf import remote
from askew.compare.compare import compare
from askew.evidence.redaction import Redactor

fsspec = pytest.importorskip("fsspec", reason="needs fsspec, which the extra `remote` brings")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def weights(tensors):
    header, at = {}, 0
    for name, data in tensors.items():
        header[name] = {"dtype": "U8", "shape": [len(data)], "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + b"".join(tensors.values())


FILES = {
    "config.json": b'{"model_type": "llama", "architectures": ["LlamaForCausalLM"], "max_position_embeddings": 4096}',
    "generation_config.json": b'{"temperature": 0.6, "eos_token_id": [1, 2]}',
    "chat_template.jinja": b"{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}",
    "tokenizer_config.json": b'{"bos_token": "<s>", "add_bos_token": true}',
    "1_Pooling/config.json": b'{"pooling_mode_mean_tokens": true, "word_embedding_dimension": 4}',
    "modules.json": b'[{"name": "0", "path": "", "type": "T"}, {"name": "1", "path": "1_Pooling", "type": "P"}]',
    "model.safetensors": weights({"a": bytes(range(256)) * 40, "b": b"xyz" * 1000}),
}


def stored(files=FILES):
    root = f"/{uuid.uuid4().hex}/llm"
    store = fsspec.filesystem("memory")
    for name, data in files.items():
        store.pipe_file(f"{root}/{name}", data)
    return f"memory:/{root}"


def side(uri):
    return load(uri, "target", Redactor())


def local(tmp_path, files=FILES):
    for name, data in files.items():
        path = tmp_path / "llm" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (time.time() - 3600,) * 2)
    return tmp_path / "llm"


@pytest.mark.parametrize("query", ["", "?digest=full", "?digest=sample", "?digest=full&cache=off"])
def test_a_store_says_what_a_directory_says(tmp_path, query):
    here, there = side(f"hf:{local(tmp_path)}{query}"), side(f"hf:{stored()}{query}")
    assert not here.errors and not there.errors
    (one,), (two,) = here.snapshots, there.snapshots
    assert {key: (f.state, f.value) for key, f in one.facts.items() if key != "model.source"} == {
        key: (f.state, f.value) for key, f in two.facts.items() if key != "model.source"
    }
    assert not compare(one, two, "peers").differences
    assert two.facts["model.context_length"].locations[0].source.startswith("memory://")


def test_one_changed_byte_is_found(tmp_path):
    changed = FILES | {"model.safetensors": FILES["model.safetensors"][:-1] + b"!"}
    (one,) = side(f"hf:{stored()}?digest=full").snapshots
    (two,) = side(f"hf:{stored(changed)}?digest=full").snapshots
    found = {difference.fact.key for difference in compare(one, two, "peers").differences}
    assert "model.weights.digest" in found


def test_what_was_hashed_is_remembered_for_the_same_content_only():
    url = stored()
    (one,) = side(f"hf:{url}?digest=full").snapshots
    fsspec.filesystem("memory").pipe_file(url.removeprefix("memory:/") + "/model.safetensors", weights({"a": b"other"}))
    (two,) = side(f"hf:{url}?digest=full").snapshots
    assert one.facts["model.weights.digest"].value != two.facts["model.weights.digest"].value


def test_one_file_of_a_store():
    (one,) = side(f"hf:{stored()}/model.safetensors").snapshots
    assert one.facts["model.weights.bytes"].value == 13240


def test_names_that_lead_outside_are_not_written(tmp_path):
    outside = remote.Entry("../../escaped.json", "memory://none", 0, "")
    with remote.copied([outside]) as folder:
        assert os.listdir(folder) == []
        assert not os.path.exists(os.path.join(folder, "..", "..", "escaped.json"))


def test_nothing_there():
    (error,) = side(f"hf:memory://{uuid.uuid4().hex}/llm").errors
    assert "nothing lies there" in error.message or "no such file" in error.message


def test_a_store_whose_library_is_missing():
    (error,) = side("hf:oss://bucket/llm").errors
    assert "needs fsspec and ossfs" in error.message
    assert "pip install" in error.hint


class _Refusing:
    """A store that lists and then refuses, as one with credentials that expire does."""

    def __init__(self, error, after):
        self._inner, self._error, self._after = fsspec.filesystem("memory"), error, after

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def cat_file(self, path, start=None, end=None):
        if path.endswith(self._after):
            raise self._error
        return self._inner.cat_file(path, start=start, end=end)


class ExpiredTokenError(Exception):
    pass


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError("Access Denied"), "the store refuses"),
        (ExpiredTokenError("the token AKIAABCDEFGHIJKLMNOP expired"), "knows no credentials"),
        (TimeoutError("read timed out"), "did not answer"),
        (ValueError("key=sk-abcdefghijklmnopqrstuvwxyz"), "did not answer"),
    ],
)
def test_weights_that_cannot_be_read_are_named_and_the_rest_is_compared(monkeypatch, error, said):
    url = stored()
    monkeypatch.setattr(remote, "_filesystem", lambda protocol: _Refusing(error, "model.safetensors"))
    found = side(f"hf:{url}?digest=full")
    (problem,) = found.errors
    assert problem.source.endswith("/model.safetensors") and said in problem.message and problem.hint
    assert "AKIA" not in problem.message and "sk-" not in problem.message
    assert found.statuses[0].status == "partial"
    assert found.snapshots[0].facts["model.context_length"].value == 4096
