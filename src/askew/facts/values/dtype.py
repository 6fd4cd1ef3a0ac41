"""Names of numeric types: `half`, `fp16`, `torch.float16`, `F16` and `TYPE_FP16` are all `float16`."""

from __future__ import annotations

from askew.facts.values.errors import LONGEST, ValueNotUnderstood

# Canonical name: its other spellings, lower case, without a library prefix.
# Sources: PyTorch tensor attributes (docs.pytorch.org/docs/stable/tensor_attributes.html); safetensors `Dtype`
# (github.com/huggingface/safetensors, safetensors/src/tensor.rs); Triton `DataType` (model_config.proto) and the KServe
# v2 tensor types; vLLM `--dtype` and `--kv-cache-dtype` (docs.vllm.ai engine arguments); llama.cpp `--cache-type-k`.
_SPELLINGS: dict[str, tuple[str, ...]] = {
    "float64": ("double", "fp64", "f64"),
    "float32": ("float", "fp32", "f32", "single"),
    "tensorfloat32": ("tf32",),
    "float16": ("half", "fp16", "f16"),
    "bfloat16": ("bf16",),
    # `fp8` alone: vLLM documents it as the same as fp8_e4m3 for the KV cache. The `fn` of PyTorch's e4m3fn is what
    # every engine means by e4m3; AMD's `fnuz` is another encoding with another range, so it keeps its own name.
    "float8_e4m3": (
        "fp8", "float8", "fp8_e4m3", "fp8_e4m3fn", "float8_e4m3fn", "e4m3", "e4m3fn", "f8_e4m3", "f8_e4m3fn",
    ),
    "float8_e5m2": ("fp8_e5m2", "e5m2", "f8_e5m2"),
    "float8_e4m3fnuz": ("fp8_e4m3fnuz", "e4m3fnuz", "f8_e4m3fnuz"),
    "float8_e5m2fnuz": ("fp8_e5m2fnuz", "e5m2fnuz", "f8_e5m2fnuz"),
    "float8_e8m0": ("float8_e8m0fnu", "f8_e8m0", "e8m0", "ue8m0", "e8m0fnu"),
    # Engine-specific cache layouts that are not plain e4m3: Gaudi's and DeepSeek MLA's.
    "fp8_inc": (),
    "fp8_ds_mla": (),
    "mxfp8": (),
    "mxfp6": (),
    "mxfp4": (),
    "nvfp4": (),
    "float4_e2m1": ("fp4_e2m1", "fp4", "float4", "f4", "e2m1", "float4_e2m1fn", "float4_e2m1fn_x2"),
    "int64": ("i64", "long"),
    "int32": ("i32",),
    "int16": ("i16", "short"),
    "int8": ("i8",),
    "int4": ("i4",),
    "uint64": ("u64",),
    "uint32": ("u32",),
    "uint16": ("u16",),
    "uint8": ("u8", "byte"),
    "uint4": ("u4",),
    "bool": ("boolean",),
    "complex64": ("c64", "cfloat"),
    "complex128": ("c128", "cdouble"),
    # Block formats of GGUF, used for weights and for llama.cpp's and Ollama's KV cache.
    **dict.fromkeys((
        "q8_0", "q8_1", "q5_0", "q5_1", "q4_0", "q4_1", "q8_k", "q6_k", "q5_k", "q4_k", "q3_k", "q2_k",
        "iq4_nl", "iq4_xs", "iq3_s", "iq3_xxs", "iq2_s", "iq2_xs", "iq2_xxs", "iq1_s", "iq1_m", "tq1_0", "tq2_0",
    ), ()),
}  # fmt: skip

_CANONICAL: dict[str, str] = {spelling: name for name, others in _SPELLINGS.items() for spelling in (name, *others)}

_PREFIXES = ("torch.", "numpy.", "np.", "jnp.", "jax.numpy.", "tf.", "tl.", "type_")


def dtype(text: object, *, auto: bool = False) -> str:
    """The canonical name of a numeric type.

    `auto` says whether the setting knows the word "auto"; then "auto" comes back as it is, to be resolved by the
    engine's rules. Upper and lower case and hyphens do not matter. Raises ValueNotUnderstood for anything that names
    no single type.
    """
    name = text.strip().lower().replace("-", "_") if isinstance(text, str) and len(text) <= LONGEST else ""
    if name == "auto" and auto:
        return name
    for prefix in _PREFIXES:
        if name.startswith(prefix):
            name = name[len(prefix) :]
            break
    known = _CANONICAL.get(name)
    if known is not None:
        return known
    hint = "'auto' is not a type here: name the type" if name == "auto" else ""
    raise ValueNotUnderstood(text, "a numeric type", "bfloat16, float16, fp8_e4m3, int8", hint)
