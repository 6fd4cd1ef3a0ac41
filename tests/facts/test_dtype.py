from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.facts.values.dtype import dtype
from askew.facts.values.errors import ValueNotUnderstood

SPELLINGS = {
    "float16": ["half", "fp16", "f16", "F16", "torch.float16", "float16", "TYPE_FP16", "np.float16", " Half "],
    "bfloat16": ["bf16", "BF16", "bfloat16", "torch.bfloat16", "jnp.bfloat16"],
    "float32": ["float", "fp32", "F32", "torch.float"],
    "float64": ["double", "F64"],
    "float8_e4m3": ["fp8", "FP8", "fp8_e4m3", "fp8-e4m3", "e4m3fn", "torch.float8_e4m3fn", "F8_E4M3"],
    "float8_e5m2": ["fp8_e5m2", "F8_E5M2"],
    "int8": ["I8", "int8"],
    "uint8": ["U8"],
    "q8_0": ["q8_0", "Q8_0"],
    "nvfp4": ["NVFP4"],
    "fp8_inc": ["fp8_inc"],
}


@pytest.mark.parametrize(("canonical", "text"), [(name, text) for name, texts in SPELLINGS.items() for text in texts])
def test_spellings(canonical: str, text: str) -> None:
    assert dtype(text) == canonical
    assert dtype(dtype(text)) == canonical


def test_encodings_with_another_range_stay_apart() -> None:
    assert len({dtype(name) for name in ("fp8", "fp8_e5m2", "float8_e4m3fnuz", "fp8_inc", "fp8_ds_mla", "int8")}) == 6


def test_auto_is_a_type_only_where_the_setting_knows_it() -> None:
    assert dtype("auto", auto=True) == "auto"
    with pytest.raises(ValueNotUnderstood, match="'auto' is not a type here"):
        dtype("auto")


@pytest.mark.parametrize("text", ["banana", "", "object", "16", "$DTYPE", "{{ .dtype }}", 16, None, True, "f" * 10_000])
def test_what_names_no_type_is_refused_with_an_example(text: object) -> None:
    with pytest.raises(ValueNotUnderstood, match="for example bfloat16"):
        dtype(text)


@given(st.text())
def test_any_text_is_read_once_or_refused(text: str) -> None:
    try:
        name = dtype(text)
    except ValueNotUnderstood:
        return
    assert dtype(name) == name


def test_every_dtype_flag_in_the_corpus(shared: Path) -> None:
    flag = re.compile(
        r"--(?:kv-cache-dtype|dtype|torch-dtype|cache-type-[kv])(?:[=\s\"',]|- )+([A-Za-z][A-Za-z0-9_.]*)"
    )
    found = set()
    for path in (shared / "corpus" / "files").rglob("*"):
        if path.is_file() and path.suffix in (".yaml", ".yml", ".json", ".sh", ".service"):
            found.update(flag.findall(path.read_text(errors="replace")))
    assert {"float16", "half", "bfloat16", "fp8", "fp8_e5m2"} <= found
    refused = set()
    for text in found:
        try:
            dtype(text, auto=True)
        except ValueNotUnderstood:
            refused.add(text)
    assert not refused
