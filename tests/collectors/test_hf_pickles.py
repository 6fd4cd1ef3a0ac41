"""Pickles as libraries write them and as attackers do: followed by their opcodes, never loaded."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import pickle
import struct
import sys
import types
import zipfile
import zlib
from collections import OrderedDict
from contextlib import suppress
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askew.app.load import load
from askew.collectors.hf.opcodes import Machine
from askew.collectors.hf.pickles import _Plain
from askew.collectors.hf.tensors import MalformedError
from askew.evidence.redaction import Redactor


def side(uri):
    return load(str(uri), "target", Redactor())


def facts(uri):
    found = side(uri)
    assert not found.errors, found.errors
    return found.snapshots[0].facts


@pytest.fixture
def _libraries(monkeypatch):
    """Names that pickle can refer to; the libraries themselves are not needed."""
    for module, names in {
        "torch": (), "torch._utils": ("_rebuild_tensor_v2", "_rebuild_parameter"), "sklearn": (),
        "sklearn.linear_model": ("LogisticRegression",),
    }.items():  # fmt: skip
        made = types.ModuleType(module)
        for name in names:
            made_class = type(name, (), {"__module__": module})
            setattr(made, name, made_class)
        monkeypatch.setitem(sys.modules, module, made)
    for name in ("FloatStorage", "BFloat16Storage", "LongStorage"):
        setattr(sys.modules["torch"], name, type(name, (), {"__module__": "torch"}))


class Tensor:
    def __init__(self, storage, key, numel, offset, shape, strides):
        self.storage, self.key, self.numel = storage, key, numel
        self.arguments: tuple[object, ...] = (offset, shape, strides, False, OrderedDict())

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, (Storage(self), *self.arguments)


class Storage:
    def __init__(self, tensor):
        self.tensor = tensor


class Pickler(pickle.Pickler):
    def persistent_id(self, obj):
        if isinstance(obj, Storage):
            one = obj.tensor
            return "storage", getattr(sys.modules["torch"], one.storage), one.key, "cpu", one.numel
        return None


def archive(path, state, storages, *, method=zipfile.ZIP_STORED, names=("byteorder",)):
    buffer = BytesIO()
    Pickler(buffer, protocol=2).dump(state)
    with zipfile.ZipFile(path, "w", method) as file:
        file.writestr("archive/data.pkl", buffer.getvalue())
        for name in names:
            file.writestr(f"archive/{name}", b"little")
        for key, data in storages.items():
            file.writestr(f"archive/data/{key}", data)
    return path


def whole(storage, key, *shape):
    strides: list[int] = []
    step = 1
    for length in reversed(shape):
        strides.insert(0, step)
        step *= length
    return Tensor(storage, key, step, 0, shape, tuple(strides))


@pytest.mark.usefixtures("_libraries")
def test_an_archive_of_torch_has_the_digest_of_the_same_tensors_in_safetensors(tmp_path):
    state = OrderedDict(a=whole("FloatStorage", "0", 2, 3), b=whole("BFloat16Storage", "1", 4))
    data = {"0": bytes(range(24)), "1": b"abcdefgh"}
    header = (
        b'{"b":{"dtype":"BF16","shape":[4],"data_offsets":[0,8]},'
        b'"a":{"dtype":"F32","shape":[2,3],"data_offsets":[8,32]}}'
    )
    (tmp_path / "m.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + b"abcdefgh" + bytes(range(24)))
    archive(tmp_path / "pytorch_model.bin", state, data)
    archive(tmp_path / "wrapped.pt", {"state_dict": state, "epoch": 3}, data)
    found = [facts(f"hf:{tmp_path}/{name}?digest=full&cache=off") for name in
             ("m.safetensors", "pytorch_model.bin", "wrapped.pt")]  # fmt: skip
    assert len({one["model.weights.digest"].value for one in found}) == 1
    assert found[1]["model.weights.dtype"].value == {"bfloat16": 0.4, "float32": 0.6}
    assert found[1]["model.parameters"].value["total"] == 10


@pytest.mark.usefixtures("_libraries")
@pytest.mark.parametrize("tensor", [
    Tensor("FloatStorage", "0", 6, 0, (2, 3), (1, 2)), Tensor("FloatStorage", "0", 6, 4, (2, 3), (3, 1)),
    Tensor("FloatStorage", "9", 6, 0, (2, 3), (3, 1)), Tensor("FloatStorage", "0", 6, -1, (2,), (1,)),
    Tensor("FloatStorage", "0", 6, 0, (2**70,), (1,)), Tensor("FloatStorage", "0", 6, 0, "ab", (1, 1)),
])  # fmt: skip
def test_a_tensor_that_is_a_view_or_lies_leaves_the_file_in_one_piece(tmp_path, tensor):
    archive(tmp_path / "a.pt", {"a": tensor, "b": whole("LongStorage", "1", 1)}, {"0": bytes(24), "1": bytes(8)})
    found = facts(f"hf:{tmp_path}/a.pt?digest=full&cache=off")
    assert found["model.weights.digest"].value and "model.parameters" not in found


@pytest.mark.usefixtures("_libraries")
def test_many_names_for_one_storage_do_not_read_it_over_and_over(tmp_path):
    state = {str(index): whole("FloatStorage", "0", 2**18) for index in range(5000)}
    archive(tmp_path / "a.pt", state, {"0": bytes(2**20)})
    assert "model.parameters" not in facts(f"hf:{tmp_path}/a.pt?digest=full&cache=off")


class Estimator:
    def __init__(self, release, inner=None):
        self.state = {"coef_": b"x" * 9000, "inner": inner, "_sklearn_version": release}

    def __reduce__(self):
        return sys.modules["sklearn.linear_model"].LogisticRegression, (), self.state


@pytest.mark.usefixtures("_libraries")
@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "pack",
    [
        bytes,
        gzip.compress,
        zlib.compress,
        bz2.compress,
        lzma.compress,
        lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    ],
)
def test_the_release_of_scikit_learn(tmp_path, protocol, pack):
    data = pickle.dumps([Estimator("1.3.0", Estimator("1.3.0"))], protocol)
    (tmp_path / "model.pkl").write_bytes(pack(data))
    found = facts(tmp_path / "model.pkl")["model.training.packages"]
    assert found.value == {"scikit-learn": "1.3.0"}


@pytest.mark.usefixtures("_libraries")
def test_parts_of_two_releases_are_no_one_release(tmp_path):
    (tmp_path / "model.pkl").write_bytes(pickle.dumps([Estimator("1.3.0"), Estimator("1.4.2")]))
    found = facts(tmp_path / "model.pkl")["model.training.packages"].entries["scikit-learn"]
    assert found.state == "unknown" and "1.3.0 and 1.4.2" in found.reason


class Attack:
    def __reduce__(self):
        return os.system, ("touch /tmp/askew-was-here",)


def _stack_global(module, name):
    return b"\x80\x04" + b"".join(b"\x8c" + bytes((len(t),)) + t.encode() for t in (module, name)) + b"\x93)R."


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (pickle.dumps(Attack()), "posix.system"),
        (pickle.dumps({"a": [Attack()]}, 0), "posix.system"),
        (b"cos\nsystem\n(S'id'\ntR.", "os.system"),
        (b"c__builtin__\neval\n(S'1'\ntR.", "__builtin__.eval"),
        (b"(S'id'\nios\nsystem\n.", "os.system"),
        (_stack_global("torch", "serialization.os.system"), "torch.serialization.os.system"),
        (_stack_global("builtins", "exec"), "builtins.exec"),
    ],
)
def test_a_pickle_that_would_run_a_program_is_named_and_not_loaded(tmp_path, data, says):
    (tmp_path / "model.pkl").write_bytes(data)
    (tmp_path / "config.json").write_text('{"model_type": "x", "architectures": ["X"]}')
    found = side(f"hf:{tmp_path}?digest=full")
    assert says in found.errors[0].message and "do not load it" in found.errors[0].hint
    assert found.statuses[0].status == "partial"
    assert found.snapshots[0].facts["model.weights.digest"].state == "known"
    assert not os.path.exists("/tmp/askew-was-here")


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x04.", b"\x80\x04", b"(((((((", b"\x80\x04h\x01.", b"\x80\x04\x85.", b"]" * 50 + b"e.", b"u.", b"R.",
        b"\x80\x04b.",
        b"\x80\x04\x8d" + struct.pack("<Q", 2**63), b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"x",
        b"\x80\x04\x8b\xff\xff\xff\x7f", b"I" + b"9" * 5000 + b"\n.", b"cos", b"\x80\x04" + b"N0" * 10, b"\x80\x04\xff",
        b"}(K\x01u.", b"(K\x01d.", b"I1e5\n.", b"\x80\x04" + b"2" * 10,
    ],
)  # fmt: skip
def test_hostile_opcodes_are_an_error(tmp_path, data):
    (tmp_path / "model.pkl").write_bytes(data)
    found = side(tmp_path / "model.pkl")
    assert all(error.hint for error in found.errors)


def test_endless_work_is_cut_off(tmp_path):
    with open(tmp_path / "model.pkl", "wb") as file:
        file.write(b"\x80\x04cfoo\nbar\n" + b"N0" * 2_000_000)
    assert "opcodes" in side(tmp_path / "model.pkl").errors[0].message


def test_a_pickle_in_pickles_ends(tmp_path):
    text = b"".join(b"\x8c" + bytes((len(t),)) + t for t in (b"joblib.numpy_pickle", b"NumpyArrayWrapper"))
    one = b"\x80\x04" + text + b"\x93)\x81}(\x8c\x05shape)\x8c\x05dtype\x8c\x05numpy\x8c\x05dtype\x93\x8c\x02O8\x85Rub"
    (tmp_path / "model.pkl").write_bytes(one * 50)
    assert "too deep" in side(tmp_path / "model.pkl").errors[0].message


def test_a_zip_bomb_is_not_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pt", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/data.pkl", b"N0" * (40 * 2**20))
    assert "more than 67,108,864 bytes" in side(tmp_path / "a.pt").errors[0].message
    (tmp_path / "b.joblib").write_bytes(
        zlib.compress(b"\x80\x04\x8e" + struct.pack("<Q", 300 * 2**20) + bytes(300 * 2**20))
    )
    assert "unpacks to more than" in side(tmp_path / "b.joblib").errors[0].message


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_bomb_in_another_packing_is_not_unpacked(tmp_path, pack):
    (tmp_path / "b.joblib").write_bytes(pack(b"\x80\x04\x8e" + struct.pack("<Q", 300 * 2**20) + bytes(300 * 2**20)))
    assert "unpacks to more than" in side(tmp_path / "b.joblib").errors[0].message


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zlib.compress])
@pytest.mark.parametrize("cut", [20, 60])
def test_a_damaged_packing_is_named(tmp_path, pack, cut):
    data = bytearray(pack(pickle.dumps(list(range(500)))))
    data[cut:] = b"\xff" * (len(data) - cut)
    (tmp_path / "b.joblib").write_bytes(data)
    assert side(tmp_path / "b.joblib").errors


def test_a_dictionary_that_asks_for_gigabytes_is_refused(tmp_path):
    (tmp_path / "b.joblib").write_bytes(b"]\0\0\0\x80" + b"\xff" * 8 + bytes(100))
    assert "too much memory" in side(tmp_path / "b.joblib").errors[0].message


def test_what_cannot_be_unpacked_says_so(tmp_path):
    (tmp_path / "b.joblib").write_bytes(b"\x04\x22\x4d\x18" + bytes(100))
    error = side(tmp_path / "b.joblib").errors[0]
    assert "packed with lz4" in error.message and error.hint.startswith("unpack the file")


@pytest.mark.usefixtures("_libraries")
def test_a_cut_archive_is_named(tmp_path):
    path = archive(tmp_path / "pytorch_model.bin", {"a": whole("FloatStorage", "0", 2)}, {"0": bytes(8)})
    path.write_bytes(path.read_bytes()[:-200])
    found = side(f"hf:{path}").errors[0]
    assert "it may be cut off" in found.message and found.source.endswith("pytorch_model.bin")


def test_a_directory_of_a_zip_that_claims_gigabytes(tmp_path):
    with open(tmp_path / "a.pt", "wb") as file:
        file.write(b"PK\x03\x04")
        file.truncate(10 * 2**30)
        file.seek(0, 2)
        file.write(b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, 2**32 - 2, 0, 0))
    assert "claims 4,294,967,294 bytes" in side(tmp_path / "a.pt").errors[0].message


def test_other_programs_files_of_that_name_are_hashed_as_they_are(tmp_path):
    (tmp_path / "lid.176.bin").write_bytes(b"\xba\x16\x4f\x2f" + bytes(100))
    assert facts(f"hf:{tmp_path}/lid.176.bin?digest=full")["model.weights.digest"].value
    (tmp_path / "pytorch_model.bin").write_bytes(b"\xba\x16\x4f\x2f" + bytes(100))
    assert "expected a pickle" in side(f"hf:{tmp_path}/pytorch_model.bin").errors[0].message


def test_a_pointer_of_git_lfs_is_not_the_file(tmp_path):
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12345\n"
    for name in ("model.safetensors", "pytorch_model.bin", "a.gguf"):
        (tmp_path / name).write_text(text)
        found = side(f"hf:{tmp_path}/{name}").errors[0]
        assert "a pointer of Git LFS" in found.message and "git lfs pull" in found.hint


_PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.text(max_size=30)
    | st.binary(max_size=30)
    | st.floats(),
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=12,
)


@given(_PLAIN, st.integers(0, 5))
def test_every_plain_pickle_is_followed_to_its_end(data, protocol):
    text = pickle.dumps(data, protocol)
    source = BytesIO(text)
    Machine(_Plain(source, len(text))).run()
    assert source.read() == b""


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(data):
    with suppress(MalformedError):
        Machine(_Plain(BytesIO(data), len(data))).run()
