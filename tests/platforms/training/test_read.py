"""Records of training as tools leave them, beside a model and by themselves."""

from __future__ import annotations

import json

import pytest

from askew.app.load import load
from askew.app.pipeline import Options, check, diff
from askew.evidence.redaction import Redactor

DTYPE, SEED, RUN = "model.training.dtype", "model.training.seed", "model.training.run"
BASE, REVISION = "model.training.base_model", "model.training.base_revision"
LENGTH, PACKAGES = "model.training.sequence_length", "model.training.packages"
SIGNATURE, FORMAT = "model.signature", "model.weights.format"


def write(folder, **files):
    """Files by name, two underscores for a dot: what is no text becomes JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content, indent=1)
        (folder / name.replace("__", ".")).write_text(text)
    return folder


def side(uri):
    return load(str(uri), "target", Redactor())


def facts(uri):
    found = side(uri)
    assert not found.errors, found.errors
    (snapshot,) = found.snapshots
    return snapshot.facts


def values(found, *wanted):
    return tuple(found[fact].value if fact in found and found[fact].state == "known" else None for fact in wanted)


def packages(found):
    return {name: one.value for name, one in found[PACKAGES].entries.items() if one.state == "known"}


# -- MLflow ----------------------------------------------------------------------------------------------------------

MLMODEL = """\
artifact_path: model
flavors:
  python_function:
    env: {conda: conda.yaml, virtualenv: python_env.yaml}
    loader_module: mlflow.sklearn
    model_path: model.pkl
    python_version: 3.10.12
  sklearn:
    code: null
    pickled_model: model.pkl
    serialization_format: cloudpickle
    sklearn_version: 1.2.2
mlflow_version: 2.9.2
model_uuid: 3f2a91c0d0c64f0b8a2c1f4f6c0d1e2f
run_id: 1d6ee0f3a1b94b5d9d5f7c7f0a0b0c0d
saved_input_example_info: {artifact_path: input_example.json, pandas_orient: split, type: dataframe}
signature:
  inputs: '[{"type": "double", "name": "age", "required": true}, {"type": "long", "name": "visits"},
    {"type": "string", "name": "city", "required": false}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}]'
  params: null
utc_time_created: '2024-01-15 10:20:30.123456'
"""
REQUIREMENTS = "mlflow==2.9.2\ncloudpickle==2.2.1\nnumpy==1.24.3\nscikit-learn==1.2.2\n"
CONDA = """\
channels: [conda-forge]
dependencies:
- python=3.10.12
- pip<=23.1.2
- pip: [mlflow==2.9.2, cloudpickle==2.2.1, numpy, scikit_learn==1.2.2]
name: mlflow-env
"""
PYTHON_ENV = "python: 3.10.12\nbuild_dependencies: [pip==23.1.2]\ndependencies: [-r requirements.txt]\n"


@pytest.fixture
def model(tmp_path):
    return write(
        tmp_path / "churn",
        MLmodel=MLMODEL,
        requirements__txt=REQUIREMENTS,
        conda__yaml=CONDA,
        python_env__yaml=PYTHON_ENV,
        model__pkl="never read",
        input_example__json={"columns": ["age"], "data": [[1]]},
    )


@pytest.mark.parametrize("scheme", ["mlflow:", ""])
def test_an_mlflow_model(model, scheme):
    found = facts(f"{scheme}{model}")
    assert packages(found) == {
        "cloudpickle": "2.2.1",
        "mlflow": "2.9.2",
        "numpy": "1.24.3",
        "python": "3.10.12",
        "scikit-learn": "1.2.2",
    }
    assert values(found, FORMAT, RUN) == ("pickle", "mlflow:1d6ee0f3a1b94b5d9d5f7c7f0a0b0c0d")
    assert found[SIGNATURE].value == {
        "inputs": [
            {"name": "age", "type": "float64"},
            {"name": "visits", "type": "int64"},
            {"name": "city", "optional": True, "type": "string"},
        ],
        "outputs": [{"shape": [-1], "type": "int64"}],
    }
    assert found[SIGNATURE].because == ("input_example.json holds an example of the input",)
    place = found[PACKAGES].entries["scikit-learn"].locations[0]
    assert place.source.endswith("MLmodel") and (place.line, place.column) == (12, 22)


def test_the_file_alone_and_the_folder_of_a_run(model, tmp_path):
    assert packages(facts(model / "MLmodel"))["scikit-learn"] == "1.2.2"
    (tmp_path / "run" / "artifacts").mkdir(parents=True)
    model.rename(tmp_path / "run" / "artifacts" / "model")
    assert packages(facts(f"mlflow:{tmp_path / 'run'}"))["numpy"] == "1.24.3"


@pytest.mark.parametrize(
    ("flavor", "expected", "package"),
    [
        ("sklearn: {serialization_format: skops, sklearn_version: 1.5.0}", "skops", ("scikit-learn", "1.5.0")),
        ("xgboost: {data: model.ubj, model_format: ubj, xgb_version: 2.0.3}", "ubjson", ("xgboost", "2.0.3")),
        ("lightgbm: {data: model.lgb, lgb_version: 4.3.0}", "lightgbm", ("lightgbm", "4.3.0")),
        ("lightgbm: {data: model.pkl, lgb_version: 4.3.0}", "pickle", ("lightgbm", "4.3.0")),
        ("catboost: {data: model.cb, catboost_version: 1.2.5}", "catboost", ("catboost", "1.2.5")),
        ("onnx: {data: model.onnx, onnx_version: 1.16.0}", "onnx", ("onnx", "1.16.0")),
        ("pytorch: {model_data: data, pytorch_version: 2.1.0+cu118}", "pickle", ("torch", "2.1.0+cu118")),
        ("tensorflow: {data: data, save_format: tf, keras_version: 2.15.0}", "savedmodel", ("keras", "2.15.0")),
        ("spark: {model_data: sparkml, pyspark_version: 3.5.1}", "sparkml", ("pyspark", "3.5.1")),
    ],
)
def test_what_a_flavor_tells_of_its_files(tmp_path, flavor, expected, package):
    text = f"flavors:\n  python_function: {{loader_module: x}}\n  {flavor}\nmlflow_version: 2.16.0\n"
    found = facts(f"mlflow:{write(tmp_path, MLmodel=text)}")
    assert found[FORMAT].value == expected
    assert packages(found)[package[0]] == package[1]
    assert found[SIGNATURE].state == "unknown"
    assert found[SIGNATURE].reason == "the model was saved without a signature"


def test_two_formats_are_not_one(tmp_path):
    text = "flavors:\n  sklearn: {serialization_format: pickle}\n  onnx: {data: model.onnx}\nmlflow_version: '2'\n"
    assert facts(f"mlflow:{write(tmp_path, MLmodel=text)}")[FORMAT].state == "unknown"


def test_columns_of_arrays_objects_and_tensors_with_names(tmp_path):
    inputs = [
        {"type": "array", "items": {"type": "double"}, "name": "embedding"},
        {"type": "object", "properties": {}, "name": "user"},
        {"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 3, 224]}, "name": "image"},
    ]
    text = json.dumps({"flavors": {}, "mlflow_version": "2.9.2", "signature": {"inputs": json.dumps(inputs)}})
    assert facts(f"mlflow:{write(tmp_path, MLmodel=text)}")[SIGNATURE].value == {
        "inputs": [
            {"name": "embedding", "type": "array<float64>"},
            {"name": "user", "type": "object"},
            {"name": "image", "shape": [-1, 3, 224], "type": "float32"},
        ]
    }


# -- trainers --------------------------------------------------------------------------------------------------------

AXOLOTL = """\
base_model: NousResearch/Meta-Llama-3-8B
revision_of_model: 315b20096dc791d381d514deb5f8bd9c8d6d3061
datasets: [{path: tatsu-lab/alpaca, type: alpaca}]
sequence_len: 8192
micro_batch_size: 2
bf16: auto
fp16:
tf32: false
seed: 7
"""
LLAMA_FACTORY = """\
model_name_or_path: meta-llama/Meta-Llama-3-8B-Instruct
stage: sft
finetuning_type: lora
template: llama3
cutoff_len: 2048
bf16: true
seed: 42
"""
TORCHTUNE = """\
output_dir: /tmp/out
tokenizer: {_component_: torchtune.models.llama3.llama3_tokenizer, path: /tmp/x, max_seq_len: 4096}
model: {_component_: torchtune.models.llama3_1.llama3_1_8b}
dtype: bf16
seed: null
"""
ACCELERATE = (
    "compute_environment: LOCAL_MACHINE\ndistributed_type: MULTI_GPU\nmixed_precision: fp16\nnum_processes: 8\n"
)
DEEPSPEED = {"zero_optimization": {"stage": 2}, "bf16": {"enabled": "auto"}, "fp16": {"enabled": False}}
ARGUMENTS = {
    "output_dir": "out", "per_device_train_batch_size": 8, "learning_rate": 5e-5, "bf16": False, "fp16": True,
    "seed": 42, "max_seq_length": 1024, "hub_token": "<HUB_TOKEN>",
}  # fmt: skip
ADAPTER = {
    "peft_type": "LORA", "base_model_name_or_path": "mistralai/Mistral-7B-v0.1", "revision": "26bca36", "r": 16,
}  # fmt: skip
DVC_LOCK = """\
schema: '2.0'
stages:
  train:
    cmd: python train.py
    params:
      params.yaml:
        train.seed: 20170428
        train.base_model: org/base
"""


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("recipe.yaml", AXOLOTL, {BASE: "NousResearch/Meta-Llama-3-8B", LENGTH: 8192, SEED: 7, DTYPE: None,
                                  REVISION: "315b20096dc791d381d514deb5f8bd9c8d6d3061"}),
        ("sft.yaml", LLAMA_FACTORY, {BASE: "meta-llama/Meta-Llama-3-8B-Instruct", LENGTH: 2048, SEED: 42,
                                     DTYPE: "bfloat16"}),
        ("tune.yaml", TORCHTUNE, {DTYPE: "bfloat16", LENGTH: 4096, SEED: None}),
        ("accelerate.yaml", ACCELERATE, {DTYPE: "float16"}),
        ("ds.json", DEEPSPEED, {DTYPE: None}),
        ("args.json", ARGUMENTS, {DTYPE: "float16", SEED: 42, LENGTH: 1024}),
        ("adapter_config.json", ADAPTER, {BASE: "mistralai/Mistral-7B-v0.1", REVISION: "26bca36"}),
        ("dvc.lock", DVC_LOCK, {SEED: 20170428, BASE: "org/base"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("how", ["file", "directory", "training"])
def test_a_record_by_its_shape(tmp_path, name, content, wanted, how):
    write(tmp_path, **{name.replace(".", "__"): content})
    if how == "directory" and name == "dvc.lock":
        pytest.skip("a lock is read where somebody points at it")
    found = facts({"file": tmp_path / name, "directory": tmp_path, "training": f"training:{tmp_path / name}"}[how])
    assert {fact: values(found, fact)[0] for fact in wanted} == wanted
    if "model.training.dtype" in found and found[DTYPE].state == "unknown":
        assert found[DTYPE].text == "auto" and found[DTYPE].reason


def test_a_name_alone_makes_no_record(tmp_path):
    for name in ("adapter_config__json", "trainer_state__json", "training_args__json"):
        assert not side(write(tmp_path / name, **{name: {"replicas": 3}})).snapshots


def test_other_yaml_is_no_record(tmp_path):
    write(tmp_path, values__yaml="replicaCount: 2\nimage: {tag: v1}\nmodel: {name: x}\n")
    write(tmp_path, compose__yaml="services: {llm: {image: 'vllm/vllm-openai:v0.8.5', command: ['--model', m]}}\n")
    write(tmp_path, Chart__yaml="name: x\ndependencies: [{name: a, repository: b}]\n")
    found = side(tmp_path)
    assert {one.workload.kind for one in found.snapshots}.isdisjoint({"TrainingRecord", "PackageList"})


CARD = """\
---
library_name: peft
license: apache-2.0
base_model: mistralai/Mistral-7B-v0.1
---
# out

### Training hyperparameters

The following hyperparameters were used during training:
- learning_rate: 0.0002
- seed: 13
- mixed_precision_training: Native AMP

### Framework versions

- PEFT 0.11.1
- Transformers 4.41.2
- Pytorch 2.3.0+cu121
- Tokenizers 0.19.1
"""
LLAMA = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 8, "num_hidden_layers": 2}


def test_records_beside_the_weights_of_a_model(tmp_path):
    write(tmp_path, config__json=LLAMA, README__md=CARD, adapter_config__json=ADAPTER, training_args__bin="pickle")
    write(tmp_path, trainer_state__json={"log_history": [], "global_step": 5, "epoch": 1.0})
    found = facts(f"hf:{tmp_path}")
    assert values(found, "model.architecture", BASE, REVISION, SEED) == (
        "LlamaForCausalLM", "mistralai/Mistral-7B-v0.1", "26bca36", 13,
    )  # fmt: skip
    assert packages(found) == {
        "peft": "0.11.1", "tokenizers": "0.19.1", "torch": "2.3.0+cu121", "transformers": "4.41.2",
    }  # fmt: skip
    assert found[PACKAGES].entries["peft"].locations[0].line == 17
    assert found[PACKAGES].entries["peft"].confidence == "likely"
    assert found[DTYPE].state == "unknown"
    assert found[DTYPE].reason == "training_args.bin holds it, a pickle, which is never loaded"


AXOLOTL_CARD = """\
---
base_model: meta-llama/Llama-3.1-8B
---
<details><summary>See axolotl config</summary>

axolotl version: `0.9.0`
```yaml
base_model: meta-llama/Llama-3.1-8B
datasets: [{path: x, type: alpaca}]
sequence_len: 4096
bf16: true
```

</details><br>

### Framework Versions
- Python: 3.10.11
- Sentence Transformers: 4.1.0
- PyTorch: 2.7.0+cu128
"""


def test_the_card_that_axolotl_writes(tmp_path):
    write(tmp_path, config__json=LLAMA, README__md=AXOLOTL_CARD)
    found = facts(f"hf:{tmp_path}")
    assert values(found, BASE, LENGTH, DTYPE) == ("meta-llama/Llama-3.1-8B", 4096, "bfloat16")
    assert (found[LENGTH].locations[0].line, found[LENGTH].confidence) == (10, "likely")
    assert packages(found) == {
        "axolotl": "0.9.0", "python": "3.10.11", "sentence-transformers": "4.1.0", "torch": "2.7.0+cu128",
    }  # fmt: skip


def test_an_adapter_alone_is_a_source(tmp_path):
    write(tmp_path, adapter_config__json=ADAPTER)
    assert values(facts(f"hf:{tmp_path}"), BASE) == ("mistralai/Mistral-7B-v0.1",)


def test_configurations_of_trainers_beside_a_model(tmp_path):
    halves = {**DEEPSPEED, "bf16": {"enabled": True}}
    write(tmp_path, config__json=LLAMA, axolotl_config__yaml=AXOLOTL, ds_config__json=halves)
    write(tmp_path, other__yaml="replicaCount: 2\n", requirements__txt="torch==1.0.0\n", environment__yaml=CONDA)
    found = facts(f"hf:{tmp_path}")
    assert values(found, DTYPE, SEED, LENGTH) == ("bfloat16", 7, 8192)
    assert PACKAGES not in found, "what code of the model needs says nothing of training"


def test_a_model_merged_of_several_has_no_one_base(tmp_path):
    write(tmp_path, config__json=LLAMA, README__md="---\nbase_model: [a/b, c/d]\n---\n")
    assert facts(f"hf:{tmp_path}")[BASE].reason == "made of several models: a/b, c/d"


def test_a_run_of_weights_and_biases(tmp_path):
    folder = tmp_path / "wandb" / "run-20240607_120000-a1b2c3d4" / "files"
    config = "wandb_version: 1\n_wandb: {desc: null, value: {python_version: 3.11.9}}\n"
    for name, value in (("bf16", "true"), ("seed", "7"), ("_name_or_path", "Qwen/Qwen2.5-7B"), ("max_length", "20")):
        config += f"{name}: {{desc: null, value: {value}}}\n"
    metadata = {"python": "CPython 3.11.9", "startedAt": "2024-06-07", "program": "train.py", "host": "h", "args": []}
    write(folder, config__yaml=config, wandb_metadata__json=metadata, requirements__txt="torch==2.3.0\n")
    found = facts(f"training:{folder}")
    assert values(found, DTYPE, SEED, BASE, RUN, LENGTH) == ("bfloat16", 7, "Qwen/Qwen2.5-7B", "wandb:a1b2c3d4", None)
    assert packages(found) == {"python": "3.11.9", "torch": "2.3.0"}
    assert found[DTYPE].confidence == "likely"


def test_parameters_of_a_pipeline(tmp_path):
    pipeline = "stages: {train: {cmd: python train.py, params: [seed]}}\n"
    write(tmp_path, dvc__yaml=pipeline, params__yaml="seed: 3\nlr: 0.1\n")
    assert values(facts(f"training:{tmp_path}"), SEED) == (3,)


def test_both_halves_on_is_unknown(tmp_path):
    write(tmp_path, args__json={**ARGUMENTS, "bf16": True})
    assert facts(tmp_path / "args.json")[DTYPE].reason == "both bfloat16 and float16 are on"


# -- joined with what serves -----------------------------------------------------------------------------------------

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: churn}
spec:
  template:
    spec:
      containers:
        - {name: engine, image: 'ghcr.io/mlflow/mlflow:v2.9.2', command: [mlflow, models, serve, -m, /m]}
"""
CONFIG = """\
name: "churn"
backend: "python"
input [ { name: "city" data_type: TYPE_STRING dims: [ -1 ] }, { name: "age" data_type: TYPE_FP64 dims: [ -1 ] } ]
output [ { name: "risk" data_type: TYPE_INT64 dims: [ -1 ] } ]
"""


@pytest.fixture
def deployment(tmp_path):
    write(tmp_path, deploy__yaml=DEPLOYMENT, image__txt="scikit-learn==1.5.0\nnumpy==1.24.9\nflask==3.0\n")
    return f"{tmp_path / 'deploy.yaml'}+packages:{tmp_path / 'image.txt'}"


def findings(report):
    return [(one.rule, one.key, one.severity) for workload in report.workloads for one in workload.findings]


def test_a_deployment_is_checked_against_the_model_that_it_serves(model, deployment):
    report = check(f"{deployment}+mlflow:{model}", None, Options())
    assert ("training-serving-package-skew", "scikit-learn", "high") in findings(report)
    assert not any(key == "numpy" for _, key, _ in findings(report))
    engine = report.workloads[0].engine
    assert engine is not None and engine.name == "mlflow"
    (asked,) = [one for one in report.workloads[0].unknown if one.fact == "runtime.packages"]
    assert "python 3.10.12" in asked.reason


def test_a_record_on_one_side_and_a_deployment_on_the_other(model, deployment):
    expected = ("training-serving-package-skew", "scikit-learn", "high")
    assert findings(diff(f"mlflow:{model}", deployment, Options())) == [expected]
    assert expected in findings(check(deployment, f"mlflow:{model}", Options()))


def test_two_models_differ_by_what_matters(model, tmp_path):
    other = write(
        tmp_path / "other",
        MLmodel=MLMODEL.replace("1.2.2", "1.3.0").replace('"long"', '"double"'),
        requirements__txt=REQUIREMENTS.replace("2.9.2", "2.9.3").replace("1.2.2", "1.3.0"),
    )
    found = {
        (rule, key): severity for rule, key, severity in findings(diff(f"mlflow:{model}", f"mlflow:{other}", Options()))
    }
    assert found[PACKAGES, "scikit-learn"] == "high"
    assert found.get((PACKAGES, "mlflow"), "low") == "low"
    assert found[SIGNATURE, ""] == "medium"
    again = write(
        tmp_path / "again", MLmodel=MLMODEL, requirements__txt="".join(reversed(REQUIREMENTS.splitlines(True)))
    )
    assert not findings(diff(f"mlflow:{model}", f"mlflow:{again}", Options()))


def test_a_serving_schema_against_the_signature(model, tmp_path):
    config = write(tmp_path / "models" / "churn", config__pbtxt=CONFIG) / "config.pbtxt"
    (one,) = [f for w in diff(f"mlflow:{model}", str(config), Options()).workloads for f in w.findings]
    assert one.rule == SIGNATURE and "input visits is missing" in one.summary
    assert ("signature-mismatch", "", "high") in findings(check(f"{config}+mlflow:{model}", None, Options()))
    both = facts(f"{config}+mlflow:{model}")
    assert both["model.id"].value == "churn" and PACKAGES in both


# -- hostile input ---------------------------------------------------------------------------------------------------

BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join(['*' + a] * 10)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
HOSTILE = {
    "a bomb": BOMB,
    "deep": "flavors: " + "[" * 100_000,
    "lies": "flavors: 7\nmlflow_version: [1]\nsignature: 3\n",
    "binary": "\x00\x01flavors:",
    "nothing": "",
    "a list": "- 1\n- 2\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_mlmodel_is_an_error(tmp_path, name):
    found = side(f"mlflow:{write(tmp_path, MLmodel=HOSTILE[name])}")
    assert not found.snapshots and found.errors
    assert all(error.message and error.hint for error in found.errors)


@pytest.mark.parametrize(
    "signature",
    ["'[[[['", "'{}'", "[1, 2]", "{inputs: 3}", "{inputs: '[{\"type\": [1]}]'}", "{inputs: '" + "[" * 5000 + "'}"],
)
def test_a_signature_that_lies_is_unknown_or_says_so(tmp_path, signature):
    text = f"flavors: {{sklearn: {{sklearn_version: 1.2.2}}}}\nmlflow_version: 2.9.2\nsignature: {signature}\n"
    found = side(f"mlflow:{write(tmp_path, MLmodel=text)}")
    if not found.errors:
        (snapshot,) = found.snapshots
        assert packages(snapshot.facts)["scikit-learn"] == "1.2.2"
        kept = snapshot.facts[SIGNATURE]
        assert kept.state == "unknown" or kept.value == {"inputs": [{"type": "any"}]} or kept.value, kept


def test_one_broken_file_does_not_hide_the_others(model):
    write(model, conda__yaml="dependencies: [a\n")
    found = side(f"mlflow:{model}")
    assert [error.source.endswith("conda.yaml") for error in found.errors] == [True]
    assert found.statuses[0].status == "partial"
    assert packages(found.snapshots[0].facts)["scikit-learn"] == "1.2.2"


def test_links_lead_nowhere_else(model, tmp_path):
    write(tmp_path, secret__txt="numpy==9.9.9\n")
    (model / "requirements.txt").unlink()
    (model / "requirements.txt").symlink_to(tmp_path / "secret.txt")
    found = side(f"mlflow:{model}")
    assert any("outside" in error.message for error in found.errors)
    assert packages(found.snapshots[0].facts).get("numpy") != "9.9.9"


def test_nothing_there(tmp_path):
    for uri in (f"mlflow:{tmp_path}", f"training:{tmp_path}", f"mlflow:{tmp_path}/none", f"training:{tmp_path}/none"):
        found = side(uri)
        assert not found.snapshots and found.errors[0].hint and found.statuses[0].status == "failed"


def test_no_secret_of_a_run_is_kept(tmp_path):
    canary = "canary-7f3a9c-value"
    folder = tmp_path / "run-20240607_120000-a1b2c3d4"
    config = f"_wandb: {{value: {{}}}}\nseed: {{value: 1}}\nhf_token: {{desc: null, value: {canary}1}}\n"
    metadata = {
        "python": "3.11.9", "startedAt": "x", "program": "t.py",
        "args": ["--api_key", f"{canary}2", f"--token={canary}3"],
        "git": {"remote": f"https://me:{canary}4@host/x.git"}, "wandb_api_key": f"{canary}5",
    }  # fmt: skip
    write(folder, config__yaml=config, wandb_metadata__json=metadata)
    write(folder, requirements__txt=f"--extra-index-url https://u:{canary}6@host/simple\nnumpy==1.0.0\n")
    write(
        folder, MLmodel=f"flavors: {{}}\nmlflow_version: '2'\nmetadata: {{db_password: {canary}7}}\n# token={canary}8\n"
    )
    write(folder, README__md=f"---\nbase_model: a/b\nhub_token: {canary}9\n---\n")
    for uri in (f"training:{folder}", f"mlflow:{folder}"):
        found = side(uri)
        assert values(found.snapshots[0].facts, SEED) == (1,)
        for document in found.documents:
            assert canary not in "\n".join(document.lines) and canary not in repr(document.root.value)
        assert canary not in repr(found)


def test_a_library_of_the_image_that_changed_is_weighed_by_the_model(model, deployment, tmp_path):
    (tmp_path / "later.txt").write_text("scikit-learn==1.6.1\nnumpy==1.24.9\nflask==3.1\n")
    later = f"{tmp_path / 'deploy.yaml'}+packages:{tmp_path / 'later.txt'}"
    report = diff(f"{deployment}+mlflow:{model}", f"{later}+mlflow:{model}", Options())
    by_key = {one.key: one for workload in report.workloads for one in workload.findings}
    assert {key: one.severity for key, one in by_key.items()} == {"scikit-learn": "high", "flask": "low"}
    assert by_key["scikit-learn"].impact.startswith("scikit-learn supports no loading")
    assert by_key["scikit-learn"].remedies[0].text == "scikit-learn==1.5.0"
    without = diff(deployment, later, Options())
    assert {one.severity for workload in without.workloads for one in workload.findings} == {"low"}


REDIS = """\
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: redis}
spec: {template: {spec: {containers: [{name: redis, image: 'redis:7'}]}}}
"""


def test_a_record_is_of_the_one_workload_that_serves(model, tmp_path):
    write(tmp_path, all__yaml=DEPLOYMENT + REDIS, image__txt="scikit-learn==1.5.0\n")
    uri = f"{tmp_path / 'all.yaml'}+mlflow:{model}+packages:{tmp_path / 'image.txt'}"
    found = {one.workload.name: one.facts for one in side(uri).snapshots}
    assert found.keys() == {"churn", "redis"}
    assert PACKAGES in found["churn"] and "runtime.packages" in found["churn"]
    assert PACKAGES not in found["redis"]
    write(tmp_path, all__yaml=DEPLOYMENT + "---\n" + DEPLOYMENT.replace("churn", "other"))
    assert len(side(uri).snapshots) == 4, "of two that serve, nothing says which is meant"
