"""The digest of weights: what it must not see, what it must see, and what keeps it from reading for ever."""

from __future__ import annotations

import contextlib
import json
import os
import random
import sys
import time
import types
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askew.app.load import load
from askew.app.pipeline import Options, diff
from askew.collectors.hf import cache, fingerprint
from askew.collectors.hf.cache import Known
from askew.collectors.hf.fingerprint import LEAF, Fingerprint, spans_of
from askew.collectors.hf.tensors import Stamp, Tensor, WeightFile
from askew.compare.compare import compare
from askew.evidence.redaction import Redactor

LONG_AGO = time.time() - 3600


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def shard(path, tensors, metadata=None, gap=0):
    """A safetensors file. ``tensors``: name to (dtype, shape, bytes), stored in this order."""
    header, at = {"__metadata__": metadata or {}}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data) + gap
    text = json.dumps(header).encode()
    filler = bytes(gap)
    body = b"".join(data + filler for _, _, data in tensors.values())
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


def side(uri):
    return load(str(uri), "target", Redactor())


def facts(uri):
    found = side(uri)
    assert not found.errors, found.errors
    (snapshot,) = found.snapshots
    return snapshot.facts


def digest(uri, mode="full"):
    return facts(f"hf:{uri}?digest={mode}&cache=off")["model.weights.digest"].value


TENSORS = {
    "model.embed": ("BF16", [4, 3], bytes(range(24))),
    "model.norm": ("F32", [3], b"abcdefghijkl"),
    "lm_head": ("BF16", [2], b"wxyz"),
}


def folder(path, *files, metadata=None):
    path.mkdir(parents=True)
    (path / "config.json").write_text('{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}')
    for index, tensors in enumerate(files):
        shard(path / f"model-{index + 1:05}-of-{len(files):05}.safetensors", tensors, metadata)
    return path


def test_other_shards_names_order_and_metadata_change_nothing(tmp_path):
    one = digest(folder(tmp_path / "a", TENSORS))
    assert one.startswith("sha256-tensors:")
    turned = dict(reversed(TENSORS.items()))
    assert digest(folder(tmp_path / "b", turned, metadata={"format": "pt", "by": "me"})) == one
    split = ({"lm_head": TENSORS["lm_head"]}, {k: v for k, v in TENSORS.items() if k != "lm_head"})
    assert digest(folder(tmp_path / "c", *split)) == one
    shard(tmp_path / "weights.safetensors", TENSORS)
    assert digest(tmp_path / "weights.safetensors") == one


@pytest.mark.parametrize(
    "changed",
    [
        {**TENSORS, "lm_head": ("BF16", [2], b"wxyZ")},
        {**TENSORS, "lm_head": ("F16", [2], b"wxyz")},
        {**TENSORS, "lm_head": ("BF16", [1, 2], b"wxyz")},
        {**TENSORS, "head": TENSORS["lm_head"]},
        {"lm_head2" if name == "lm_head" else name: tensor for name, tensor in TENSORS.items()},
        {name: tensor for name, tensor in TENSORS.items() if name != "lm_head"},
    ],
)
def test_another_value_dtype_shape_or_name_is_another_digest(tmp_path, changed):
    assert digest(folder(tmp_path / "a", TENSORS)) != digest(folder(tmp_path / "b", changed))


_TENSOR = st.tuples(st.sampled_from([("U8", 1), ("BF16", 2), ("F32", 4)]), st.integers(0, 40), st.binary(max_size=4))


@settings(deadline=None, max_examples=60)
@given(
    st.dictionaries(st.text("abc.0", min_size=1, max_size=6), _TENSOR, min_size=1, max_size=8),
    st.randoms(use_true_random=False),
    st.integers(1, 4),
)
def test_the_law_of_sharding(tmp_path_factory, drawn, random, count):
    tensors = {
        name: (dtype, [length], (seed * 40 + bytes(160))[: width * length])
        for name, ((dtype, width), length, seed) in drawn.items()
    }
    folder_ = tmp_path_factory.mktemp("law")
    whole = digest(folder(folder_ / "whole", tensors))
    parts: list[dict[str, object]] = [{} for _ in range(count)]
    names = list(tensors)
    random.shuffle(names)
    for name in names:
        random.choice(parts)[name] = tensors[name]
    assert digest(folder(folder_ / "cut", *parts, metadata={"x": str(count)})) == whole
    name = random.choice([name for name in names if tensors[name][2]] or [""])
    if name:
        dtype, shape, data = tensors[name]
        at = random.randrange(len(data) * 8)
        flipped = bytearray(data)
        flipped[at // 8] ^= 1 << at % 8
        assert digest(folder(folder_ / "bit", {**tensors, name: (dtype, shape, bytes(flipped))})) != whole


def test_the_digest_is_what_it_is_said_to_be(tmp_path):
    """Worked out anew, as the description of the algorithm says: it may not change unnoticed between releases."""
    from hashlib import sha256

    def of_tensor(data):
        leaves = [sha256(data[at : at + 4 * 2**20]).digest() for at in range(0, len(data), 4 * 2**20)]
        return sha256(b"askew tensor 1\0" + len(data).to_bytes(8, "little") + b"".join(leaves)).hexdigest()

    big = random.Random(1).randbytes(9 * 2**20 + 5)
    tensors = {"b": ("U8", [len(big)], big), "a": ("F32", [], b"\1\2\3\4"), "none": ("F32", [0, 7], b"")}
    lines = sorted(
        json.dumps([name, dtype, shape, of_tensor(data)], separators=(",", ":"))
        for name, (dtype, shape, data) in tensors.items()
    )
    expected = sha256("".join(line + "\n" for line in lines).encode()).hexdigest()
    assert digest(folder(tmp_path / "m", tensors)) == f"sha256-tensors:{expected}"


def test_a_file_has_the_digest_of_its_tensors(tmp_path):
    head = {"lm_head": TENSORS["lm_head"]}
    rest = {name: tensor for name, tensor in TENSORS.items() if name != "lm_head"}
    found = facts(f"hf:{folder(tmp_path / 'a', head, rest)}?digest=full")
    files = found["model.weights.files"].value
    assert list(files) == ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    assert files["model-00001-of-00002.safetensors"] == digest(folder(tmp_path / "b", head))
    assert found["model.weights.digest"].origin == "measured"


def differences(reference, target):
    found = compare(side(reference).snapshots[0], side(target).snapshots[0])
    return [(one.fact.key, one.key) for one in found.differences], {one.fact.key for one in found.unverified}


def test_a_resharded_checkpoint_does_not_differ_and_a_changed_one_says_where(tmp_path):
    head = {"lm_head": TENSORS["lm_head"]}
    rest = {name: tensor for name, tensor in TENSORS.items() if name != "lm_head"}
    one, two = folder(tmp_path / "a", TENSORS), folder(tmp_path / "b", head, rest)
    changed = folder(tmp_path / "c", {"lm_head": ("BF16", [2], b"wxyZ")}, rest)
    assert differences(f"hf:{one}?digest=full", f"hf:{two}?digest=full") == ([], set())
    assert differences(f"hf:{two}?digest=full", f"hf:{changed}?digest=full") == (
        [("model.weights.digest", ""), ("model.weights.files", "model-00001-of-00002.safetensors")],
        set(),
    )


def test_what_to_do_names_the_files(tmp_path):
    two = folder(tmp_path / "b", {"lm_head": TENSORS["lm_head"]})
    changed = folder(tmp_path / "c", {"lm_head": ("BF16", [2], b"wxyZ")}, {"more": ("BF16", [2], b"wxyz")})
    report = diff(f"hf:{two}?digest=full&cache=off", f"hf:{changed}?digest=full&cache=off", Options())
    said = {(one.rule, one.key): one.remedies[0].action for part in report.workloads for one in part.findings}
    assert said["model.weights.digest", ""] == f"Take {two}/ of the reference in place of {changed}/"
    added = "model-00002-of-00002.safetensors"
    assert said["model.weights.files", added] == f"Remove {changed}/{added}, which the reference does without"


def test_a_sample_and_a_full_digest_say_nothing_about_each_other(tmp_path):
    one = folder(tmp_path / "a", TENSORS)
    assert digest(one, "sample").startswith("sha256-tensors-sampled:")
    for reference, target in (("full", "sample"), ("sample", "full"), ("full", "none")):
        found, unknown = differences(f"hf:{one}?digest={reference}", f"hf:{one}?digest={target}")
        assert not found and "model.weights.digest" in unknown
    assert differences(f"hf:{one}?digest=sample", f"hf:{one}?digest=sample") == ([], set())


def test_a_sample_finds_another_checkpoint(tmp_path):
    noise = random.Random(2)
    one, two = ({"w": ("U8", [2**21], noise.randbytes(2**21))} for _ in range(2))
    first = digest(folder(tmp_path / "a", one), "sample")
    assert first != digest(folder(tmp_path / "b", two), "sample")
    assert first == digest(folder(tmp_path / "c", one, metadata={"a": "b"}), "sample")


@pytest.mark.parametrize("size", [0, 1, 2**18, 2**18 + 1, LEAF, 3 * LEAF + 17, 2**40])
def test_samples_lie_inside_the_tensor_and_are_few(size):
    tensor = Tensor("t", "U8", (size,), 100, size)
    spans = list(spans_of(tensor, "sample"))
    assert all(begin >= 100 and begin + length <= 100 + size for begin, length in spans)
    assert sum(length for _, length in spans) <= 2**18
    assert len(spans) == fingerprint.leaf_count(tensor, "sample")


def test_a_second_run_reads_nothing_and_a_changed_file_is_read(tmp_path, monkeypatch):
    where = folder(tmp_path / "a", TENSORS)
    file = where / "model-00001-of-00001.safetensors"
    monkeypatch.setattr(cache, "_FRESH_NS", -(10**18))
    pieces = []
    plain = fingerprint.hashed

    def counted(piece):
        pieces.append(piece)
        return plain(piece)

    monkeypatch.setattr(fingerprint, "hashed", counted)
    uri = f"hf:{where}?digest=full"
    first = facts(uri)["model.weights.digest"].value
    assert len(pieces) == 1
    assert facts(uri)["model.weights.digest"].value == first and len(pieces) == 1
    shard(file, {**TENSORS, "lm_head": ("BF16", [2], b"wxyZ")})  # of the same size and time
    assert facts(uri)["model.weights.digest"].value != first and len(pieces) == 2
    for kept in (tmp_path / "cache" / "askew" / "weights").iterdir():
        kept.write_text('{"key": 1')
    assert facts(uri)["model.weights.digest"].value != first and len(pieces) == 3
    facts(f"{uri}&cache=off")
    assert len(pieces) == 4


def test_a_file_that_was_just_written_is_not_remembered(tmp_path):
    facts(f"hf:{folder(tmp_path / 'a', TENSORS)}?digest=full")
    assert not (tmp_path / "cache").exists()


class _Interrupted(Executor):
    """Runs work where it stands, and is interrupted after so many pieces."""

    def __init__(self, after):
        self.after = after
        self.done = 0

    def submit(self, fn, /, *args, **kwargs):
        future: Future[object] = Future()
        if self.done == self.after:
            future.set_exception(KeyboardInterrupt())
        else:
            self.done += 1
            future.set_result(fn(*args, **kwargs))
        return future


def test_an_interrupted_run_goes_on_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "_FRESH_NS", -(10**18))
    monkeypatch.setattr(fingerprint, "_WORK", 2**16)
    noise = random.Random(3)
    path = shard(tmp_path / "m.safetensors", {f"t{i}": ("U8", [2**16], noise.randbytes(2**16)) for i in range(20)})
    status = path.stat()
    at = status.st_size - 20 * 2**16
    tensors = tuple(Tensor(f"t{i}", "U8", (2**16,), at + i * 2**16, 2**16) for i in range(20))
    file = WeightFile("m", str(path), tensors, status)

    def known(file):
        return cache.known(file.path, file.status, file.tensors, "x")

    first = _Interrupted(15)
    with pytest.raises(KeyboardInterrupt):
        Fingerprint(first, 1, "full", known).of([file])
    second = _Interrupted(100)
    (resumed,) = Fingerprint(second, 1, "full", known).of([file])
    (anew,) = Fingerprint(_Interrupted(100), 1, "full", lambda _: Known()).of([file])
    assert resumed == anew and not resumed.trouble
    assert 0 < second.done <= 20 - (15 - 4)  # what was under way is read again, nothing else


def test_a_file_that_changes_while_it_is_read_is_named_and_the_rest_is_told(tmp_path, monkeypatch):
    head = {"lm_head": TENSORS["lm_head"]}
    where = folder(tmp_path / "a", head, {"x": ("U8", [4], b"1234")})
    plain = fingerprint.hashed

    def meanwhile(piece):
        if piece.path.endswith("00002-of-00002.safetensors"):
            with open(piece.path, "r+b") as file:
                file.truncate(40)
        return plain(piece)

    monkeypatch.setattr(fingerprint, "hashed", meanwhile)
    found = side(f"hf:{where}?digest=full")
    assert [e.source.rpartition("/")[2] for e in found.errors] == ["model-00002-of-00002.safetensors"]
    assert "changed while it was read" in found.errors[0].message and found.errors[0].hint
    assert found.statuses[0].status == "partial"
    known = found.snapshots[0].facts
    assert known["model.weights.digest"].state == "unknown"
    assert "model-00002-of-00002.safetensors: the file changed" in known["model.weights.digest"].reason
    assert known["model.weights.files"].entries["model-00001-of-00002.safetensors"].state == "known"


def test_a_missing_shard_leaves_the_digest_unknown(tmp_path):
    where = folder(tmp_path / "a", TENSORS)
    index = {"weight_map": {"a": "model-00001-of-00001.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (where / "model.safetensors.index.json").write_text(json.dumps(index))
    found = side(f"hf:{where}?digest=full")
    assert found.errors and found.snapshots[0].facts["model.weights.digest"].state == "unknown"
    assert found.snapshots[0].facts["model.weights.files"].entries["model-00001-of-00001.safetensors"].value


def raw(path, header, data=b""):
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


@pytest.mark.parametrize(
    ("tensors", "says"),
    [
        ({"a": {"dtype": "U8", "shape": [9], "data_offsets": [0, 9]},
          "b": {"dtype": "U8", "shape": [9], "data_offsets": [3, 12]}}, "b overlaps the one before it"),
        ({"a": {"dtype": "U8", "shape": [9], "data_offsets": [9, 0]}}, "ends before it begins"),
        ({"a": {"dtype": "U8", "shape": [9], "data_offsets": [-9, 0]}}, "ends before it begins"),
        ({"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 9]}}, "of 9 F32 cannot have 9 bytes"),
        ({"a": {"dtype": "U8", "shape": [2**62] * 70, "data_offsets": [0, 9]}}, "no possible shape"),
        ({"a": {"dtype": "U8", "shape": [-9, -1], "data_offsets": [0, 9]}}, "no possible shape"),
        ({"a": {"dtype": "U8", "shape": [10**30], "data_offsets": [0, 9]}}, "no possible shape"),
        ({"a": {"dtype": "U8", "shape": [9], "data_offsets": [0, 10**30]}}, "the file ends before"),
    ],
)  # fmt: skip
def test_a_header_that_lies_costs_nothing(tmp_path, tensors, says):
    raw(tmp_path / "model.safetensors", tensors, bytes(64))
    found = side(f"hf:{tmp_path}?digest=full")
    assert says in found.errors[0].message


def test_a_sparse_file_is_told_by_its_holes(tmp_path):
    size = 10 * 2**30
    header = json.dumps({"a": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    with open(tmp_path / "model.safetensors", "wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + size)
    begin = time.process_time()
    assert digest(tmp_path)
    assert time.process_time() - begin < 5


def test_one_bit_in_four_gigabytes(tmp_path):
    size = 2**32
    header = json.dumps({"a": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    with open(tmp_path / "model.safetensors", "wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + size)
    one = digest(tmp_path)
    with open(tmp_path / "model.safetensors", "r+b") as file:
        file.seek(3 * 2**30 + 12345)
        file.write(b"\x20")
    assert digest(tmp_path) != one


def test_links_in_a_circle_and_pipes_are_errors(tmp_path):
    (tmp_path / "a.safetensors").symlink_to("b.safetensors")
    (tmp_path / "b.safetensors").symlink_to("a.safetensors")
    os.mkfifo(tmp_path / "c.safetensors")
    found = side(f"hf:{tmp_path}?digest=full")
    assert {e.source.rpartition("/")[2] for e in found.errors} == {f"{c}.safetensors" for c in "abc"}


def test_an_option_that_is_none_is_an_error_with_the_choices(tmp_path):
    found = side(f"hf:{folder(tmp_path / 'a', TENSORS)}?digest=ful")
    assert "digest=ful is no option" in found.errors[0].message
    assert "digest=none|sample|full" in found.errors[0].hint


def test_progress_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(fingerprint, "_SHOW_EVERY", -1)
    told: list[str] = []
    load(f"hf:{folder(tmp_path / 'a', TENSORS)}?digest=full", "target", Redactor(), progress=told.append)
    assert any("100 %" in line for line in told)


def test_the_loaders_choice_of_files_is_ours(tmp_path):
    where = folder(tmp_path / "a", TENSORS)
    one = digest(where)
    shard(where / "consolidated.safetensors", {"tok_embeddings": ("U8", [2], b"ab")})
    (where / "pytorch_model.bin").write_bytes(b"something")
    (where / "training_args.bin").write_bytes(b"something")
    assert digest(where) == one


def test_a_format_without_a_list_of_tensors_is_hashed_as_it_is(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "llama", "architectures": ["L"]}')
    (tmp_path / "one.h5").write_bytes(b"abc" * 1000)
    one = digest(tmp_path)
    (tmp_path / "one.h5").rename(tmp_path / "two.h5")
    assert digest(tmp_path) == one
    (tmp_path / "two.h5").write_bytes(b"abd" * 1000)
    assert digest(tmp_path) != one


def test_a_cluster_hashes_what_this_machine_does(tmp_path, monkeypatch):
    asked = []

    class Client(contextlib.nullcontext):
        def __init__(self, address, timeout):
            asked.append(address)
            if "nobody" in address:
                raise OSError("timed out")

        def __enter__(self):
            return self

        def nthreads(self):
            return {} if "idle" in asked[-1] else {"one": 1, "two": 3}

        def get_executor(self, pure):
            return ThreadPoolExecutor(2)

    module = types.ModuleType("distributed")
    module.Client = Client  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "distributed", module)
    where = folder(tmp_path / "a", TENSORS)
    uri = f"hf:{where}?digest=full&cache=off&executor=dask://"
    assert facts(f"{uri}host:8786")["model.weights.digest"].value == digest(where)
    assert asked == ["tcp://host:8786"]
    for host, says in (("nobody:1", "does not answer: timed out"), ("idle:1", "has no workers")):
        found = side(f"{uri}{host}")
        assert says in found.errors[0].message and found.errors[0].source == f"dask://{host}"
        assert found.snapshots[0].facts["model.weights.format"].value == "safetensors"
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert "askew[dask]" in side(f"{uri}host:1").errors[0].hint


def test_a_worker_that_dies_is_an_error_of_its_file(tmp_path):
    path = shard(tmp_path / "m.safetensors", {"a": ("U8", [4], b"abcd")})

    class Dies(Executor):
        def submit(self, fn, /, *args, **kwargs):
            future: Future[object] = Future()
            future.set_exception(RuntimeError("the worker was killed"))
            return future

    file = WeightFile("m", str(path), (Tensor("a", "U8", (4,), 100, 4),), path.stat())
    (outcome,) = Fingerprint(Dies(), 1, "full", lambda _: Known(), None, (Exception,)).of([file])
    assert outcome.trouble == "the worker was killed" and not outcome.lines


def _digest_finding(tmp_path, one, two):
    report = diff(f"hf:{one}?digest=full&cache=off", f"hf:{two}?digest=full&cache=off", Options())
    (workload,) = report.workloads
    return next(f for f in workload.findings if f.rule == "model.weights.digest")


def test_the_tensor_that_differs_is_named(tmp_path):
    other = TENSORS | {"model.norm": ("F32", [3], b"abcdefghijkL")}
    found = _digest_finding(tmp_path, folder(tmp_path / "a", TENSORS), folder(tmp_path / "b", other))
    assert "Tensor model.norm: " in found.impact
    assert "lm_head" not in found.impact and "model.embed" not in found.impact


def test_of_a_model_with_many_tensors_the_layer_that_differs_is_named(tmp_path):
    many = {f"model.layers.{n}.{part}.weight": ("U8", [4], b"data") for n in range(40) for part in "abcdefghijklmnop"}
    other = many | {"model.layers.17.c.weight": ("U8", [4], b"dAta")}
    found = _digest_finding(tmp_path, folder(tmp_path / "a", many), folder(tmp_path / "b", other))
    assert "Tensors of model.layers.17: " in found.impact
    assert "of model.layers.1:" not in found.impact


def test_blake3_says_the_same_of_other_shards_and_nothing_of_sha256(tmp_path):
    pytest.importorskip("blake3", reason="needs the extra blake3")
    one = folder(tmp_path / "a", TENSORS)
    two = folder(tmp_path / "b", {"lm_head": TENSORS["lm_head"]}, {k: v for k, v in TENSORS.items() if k != "lm_head"})
    other = folder(tmp_path / "c", TENSORS | {"model.norm": ("F32", [3], b"abcdefghijkL")})
    first, second, third = (digest(path, "full&hash=blake3") for path in (one, two, other))
    assert first == second != third
    assert first.startswith("blake3-tensors:")
    assert first.rpartition(":")[2] != digest(one).rpartition(":")[2]
    mixed = diff(f"hf:{one}?digest=full&cache=off", f"hf:{one}?digest=full&cache=off&hash=blake3", Options())
    assert not [finding for workload in mixed.workloads for finding in workload.findings]
    assert "model.weights.digest" in {entry.fact for workload in mixed.workloads for entry in workload.unknown}


def test_leaves_of_blake3_are_those_of_the_library(tmp_path):
    blake3 = pytest.importorskip("blake3", reason="needs the extra blake3").blake3
    data = bytes(range(256)) * 200
    path = tmp_path / "file"
    path.write_bytes(data)
    status = os.stat(path)
    spans = ((0, 100), (100, 40_000), (40_100, 11_100))
    stamp = Stamp(status.st_size, status.st_mtime_ns)
    found = fingerprint.hashed(fingerprint.Piece(str(path), stamp, spans, "blake3"))
    assert found == [blake3(data[begin : begin + size]).digest() for begin, size in spans]


def test_a_machine_without_blake3_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "blake3", None)
    found = side(f"hf:{folder(tmp_path / 'a', TENSORS)}?digest=full&hash=blake3&cache=off")
    (error,) = found.errors
    assert "blake3 is not installed" in error.message and "askew[blake3]" in error.hint
