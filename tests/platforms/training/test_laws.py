"""Whatever a record holds, it is read without an exception."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from askew.collectors.interface import Text
from askew.evidence.yaml import read as read_yaml
from askew.platforms import metadata
from askew.platforms.packages import read as packages
from askew.platforms.training import read as training
from askew.platforms.training.shape import form

WORDS = (
    "flavors", "sklearn", "python_function", "sklearn_version", "signature", "inputs", "outputs", "name", "type",
    "tensor", "tensor-spec", "shape", "dtype", "mlflow_version", "run_id", "saved_input_example_info", "peft_type",
    "artifact_path", "base_model", "datasets", "bf16", "fp16", "enabled", "seed", "sequence_len", "stages", "params",
    "params.yaml", "schema", "cmd", "zero_optimization", "_wandb", "value", "desc", "log_history", "global_step",
    "dependencies", "channels", "pip", "python", "bomFormat", "CycloneDX", "components", "purl", "pkg:pypi/a@1",
    "version", "spdxVersion", "packages", "externalRefs", "referenceLocator", "artifacts", "descriptor", "datatype",
    "model_spec", "metadata", "signature_def", "serving_default", "tensor_shape", "dim", "size", "distributed_type",
    "mixed_precision", "save_format", "serialization_format", "serving", "_meta", "default", "package", "platform",
)  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers(-5, 10**25) | st.floats(allow_nan=False) | st.sampled_from(WORDS)
DATA = st.recursive(
    LEAVES | st.sampled_from(('[{"type": "double"}]', "[[", "${X}", "auto", "1.2.3")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5),
    max_leaves=25,
)


@given(st.dictionaries(st.sampled_from(WORDS), DATA, max_size=8) | st.lists(DATA, max_size=3))
def test_any_data_is_read(content):
    for name in ("a/x.json", "a/MLmodel"):
        for document in read_yaml(json.dumps(content), name):
            form(document)
            training.read([document])
            packages.read([document], ())
            if metadata.form(document):
                metadata.read([document])


@given(st.text(max_size=200), st.sampled_from(("README.md", "requirements.txt", "uv.lock")))
def test_any_text_is_read(text, name):
    for start in ("", "---\n", "### Framework versions\n- ", "[[package]]\nname = ", "axolotl version: `1`\n```yaml\n"):
        one = Text(source=f"a/{name}", text=start + text)
        training.read((), (one,))
        packages.read((), (one,))
