"""What the server expects is not what the model was trained on: names, order or types of its inputs

## What it finds

A serving schema (a Triton model's `config.pbtxt`, MLServer's `model-settings.json`, what a server answers when it is
asked for a model's metadata) that disagrees with the signature that was recorded when the model
was saved (MLflow): an input that is missing or that the model does not know, another number of features, columns in
another order, another type or shape.

## Why it matters

Features in another order, or a number read as another type, give wrong predictions without an error. A missing input is
an error at best; where a server fills it in, it is a silently constant feature.

## Example

```
MLmodel        inputs: [{"name": "age", "type": "double"}, {"name": "visits", "type": "long"}]
config.pbtxt   input [ { name: "age" data_type: TYPE_STRING dims: [ -1 ] } ]
```

## Remedy

Write the inputs of the serving configuration as the model's signature has them, or log the model with the signature
that is served.

## When it is fine

When a step in front of the model converts what clients send (an ensemble, a transformer, a feature store). Whole
numbers that arrive as floating-point ones are reported as medium, since that is how missing values get in; numbers of
fewer bits as low, as the model then sees rounded values.

## References

- MLflow, "Model signatures": https://mlflow.org/docs/latest/ml/model/signatures/
- Triton, "Model configuration": https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/user_guide/model_configuration.html
- ONNX models that predict otherwise as their inputs became 32 bits wide: https://github.com/onnx/onnxmltools/issues/708
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject, found
from askew.checks.reading import lines, places
from askew.facts.types import Severity
from askew.findings.finding import Remedy
from askew.resolve.workload import Resolved

_SIGNATURE = "model.signature"


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding, with the weightiest differences named."""
    served = subject.known(_SIGNATURE)
    if served is None or served.state != "known" or served.origin == "model":
        return
    recorded = next((one for one in served.shadowed if one.origin == "model"), None)
    if recorded is None:
        return
    from askew.facts.values.signature import mismatches, sentence

    differing = sorted(mismatches(recorded.value, served.value), key=lambda one: not one.weighty)
    reference = Resolved(
        fact=_SIGNATURE, state="known", value=recorded.value, origin="model", locations=recorded.locations
    )
    if not differing or not lines((served, reference)):
        return
    kinds = {one.kind for one in differing if one.weighty}
    severity: Severity = "low" if not kinds else "medium" if kinds == {"converted"} else "high"
    spots = places(subject, served, reference)
    yield found(
        CHECK,
        subject,
        target=served,
        reference=reference,
        at=spots,
        severity=severity,
        summary=f"the serving schema differs from the model's signature: {sentence(differing)}",
        impact="The model is fed other values than it was trained on, mostly without an error."
        if differing[0].weighty
        else "The model sees rounded values, or may miss some: predictions near thresholds can change.",
        remedies=(
            Remedy(
                action="write the inputs and outputs of the serving configuration as the model's signature has them",
                location=spots[0],
                verify="the input example that was saved with the model gives the prediction that it gave then",
                undo="write the old schema again",
                safe=False,
            ),
        ),
    )


_MODEL = """\
flavors:
  python_function: {loader_module: mlflow.sklearn}
mlflow_version: 2.9.2
signature:
  inputs: '[{"type": "double", "name": "age"}, {"type": "long", "name": "visits"}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}]'
"""
_CONFIG = """\
name: "churn"
backend: "python"
input [
  {age}
  {visits}
]
output [ {{ name: "risk" data_type: TYPE_FP64 dims: [ -1 ] }} ]
"""
_AGE = '{ name: "age" data_type: TYPE_FP64 dims: [ -1 ] },'
_VISITS = '{ name: "visits" data_type: TYPE_INT64 dims: [ -1 ] }'


def _case(name: str, age: str = _AGE, visits: str = _VISITS, *, line: int = 0, config: str = _CONFIG) -> Case:
    return Case(
        name=name,
        source=config.format(age=age, visits=visits),
        file="models/churn/config.pbtxt",
        joined=(("mlflow:model", "model/MLmodel", _MODEL),),
        fires=bool(line),
        line=line,
    )


CHECK = Check(
    id="signature-mismatch",
    title="What the server expects is not what the model was trained on: names, order or types of its inputs",
    category="model",
    severity="high",
    confidence="likely",
    facts=(_SIGNATURE,),
    run=run,
    playbook="model-identity",
    cases=(
        _case("an input of another name", visits=_VISITS.replace("visits", "visit_count"), line=3),
        _case("a number read as text", age=_AGE.replace("FP64", "STRING"), line=3),
        _case("whole numbers that arrive as floating-point ones", visits=_VISITS.replace("INT64", "FP64"), line=3),
        _case("fewer bits than the model was trained with", age=_AGE.replace("FP64", "FP32"), line=3),
        _case("as recorded"),
        _case("inputs of one tensor each, in another order", age=_VISITS + ",", visits=_AGE[:-1]),
        _case("one column as a matrix of one", visits=_VISITS.replace("-1", "-1, 1")),
        _case(
            "one tensor of as many features, whose names are not known",
            age='{ name: "features" data_type: TYPE_FP64 dims: [ -1, 2 ] }',
            visits="",
        ),
    ),
)
