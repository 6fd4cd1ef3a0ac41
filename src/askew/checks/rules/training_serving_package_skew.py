"""The serving image has a release of a library in which the model may behave otherwise than in training

## What it finds

A library of which the image that serves the model has another release than the one the model was trained, saved or
validated with (`runtime.packages` against `model.training.packages`), where the difference is known to matter: the
project's own documentation says so. scikit-learn counts by its minor release for pickled models, Python where
`cloudpickle` saved the model, NumPy by its major release, XGBoost by whether the model is a pickle or its own format,
tokenizers and transformers for tokenization, PyTorch, TensorFlow and Keras by what they promise. Where no list of
packages is joined, what the release of the engine pins counts.

## Why it matters

A model that loads is not the model that was validated. A scikit-learn pickle of another release loads with a warning
that nobody reads, and may predict something else; a pickle of NumPy 2 does not load in NumPy 1 at all.

## Example

```
MLmodel        sklearn_version: 1.2.2, serialization_format: cloudpickle
packages.txt   scikit-learn==1.5.0
```

## Remedy

Install the release of training in the serving image, or save and validate the model again with the one that serves.

## When it is fine

When the model was validated in the serving image after it was saved. Differences that no documentation calls a risk
(patch releases, build tags, libraries that never touch the model) are not reported, and neither are ranges: what they
resolve to is unknown.

## References

- scikit-learn, "Model persistence": https://scikit-learn.org/stable/model_persistence.html
- XGBoost, "Introduction to Model IO": https://xgboost.readthedocs.io/en/stable/tutorials/saving_model.html
- cloudpickle: https://github.com/cloudpipe/cloudpickle
- Pickles of NumPy 2 in NumPy 1: https://github.com/numpy/numpy/issues/28340
- TensorFlow, "Version compatibility": https://www.tensorflow.org/guide/versions
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Case, Check, Needs, Outcome, Subject, found
from askew.checks.packages import RELEASE, SERVING, TRAINING, entries, pinned_by_release
from askew.checks.reading import lines, places
from askew.facts.types import SEVERITIES
from askew.findings.finding import Remedy

_FORMAT = "model.weights.format"


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding for each library whose difference matters."""
    trained, weights = entries(subject.snapshot.facts.get(TRAINING)), subject.known(_FORMAT)
    if not trained and subject.contract is not None:
        trained = entries(subject.contract.facts.get(TRAINING))
        weights = weights or subject.contract.facts.get(_FORMAT)
    if not trained:
        return
    from askew.knowledge.packages import applying, concern, names

    kind = str(weights.value) if weights is not None and weights.value else None
    installed, pinned = entries(subject.snapshot.facts.get(SERVING)), pinned_by_release(subject)
    open_: list[str] = []
    for name in sorted(names() & trained.keys()):
        before = trained[name]
        if before.state != "known" or not isinstance(before.value, str):
            continue
        now = installed.get(name) or pinned.get(name)
        if now is None or now.state != "known" or not isinstance(now.value, str):
            weighty = applying(name, kind, trained) if kind is not None else ()
            if weighty and SEVERITIES.index(weighty[0].severity) <= SEVERITIES.index("high"):
                open_.append(f"{name} {before.value}" + (f" ({now.reason})" if now is not None and now.reason else ""))
            continue
        risk = concern(name, before.value, now.value, kind, trained)
        if risk is None or not lines((now, before)):
            continue
        if now.origin == "engine-default" and SEVERITIES.index(risk.severity) > SEVERITIES.index("medium"):
            continue  # no model is served with the very releases of its training by an engine that brings its own
        depends = bool(risk.formats) and kind is None
        spots = places(subject, now, before)
        yield found(
            CHECK,
            subject,
            fact=SERVING,
            key=name,
            target=now,
            reference=before,
            at=spots,
            facts=(TRAINING,),
            severity=risk.severity,
            confidence="possible" if depends else "likely",
            summary=f"{name} {now.value} serves a model that was saved with {before.value}",
            impact=risk.impact,
            remedies=(
                Remedy(
                    action=f"install {name} {before.value} in the serving image",
                    text=f"{name}=={before.value}",
                    location=spots[0],
                    verify="the inputs of validation give the outputs that they gave then",
                    undo=f"install {name} {now.value} again",
                    safe=False,
                ),
            ),
        )
    if open_:
        yield Needs(fact=SERVING, reason=f"no source shows what stands in the image for {', '.join(open_)}")


_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: churn}
spec:
  template:
    spec:
      containers:
        - name: engine
          image: ghcr.io/mlflow/mlflow:v2.9.2
          command: [mlflow, models, serve, -m, /models/churn]
"""
_MODEL = """\
flavors:
  python_function: {{loader_module: mlflow.{flavor}, python_version: 3.10.12}}
  {flavor}: {{{fields}}}
mlflow_version: 2.9.2
run_id: 1d6ee0f3
"""
_SKLEARN = "pickled_model: model.pkl, serialization_format: cloudpickle, sklearn_version: 1.2.2"
_BOOSTER = "data: model.ubj, model_format: ubj, xgb_version: 2.0.3"


_VLLM = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: llm}
spec:
  template:
    spec:
      containers:
        - name: engine
          image: vllm/vllm-openai:v0.8.5
          args: [--model, /models/llm]
"""
_TRAINED = "transformers==4.51.3\ntokenizers==0.21.1\ntorch=={torch}\n"


def _llm(name: str, torch: str, line: int = 0) -> Case:
    trained = ("training:trained.txt", "trained.txt", _TRAINED.format(torch=torch))
    return Case(name=name, source=_VLLM, joined=(trained,), fires=bool(line), line=line)


def _case(name: str, packages: str, line: int = 0, flavor: str = "sklearn", fields: str = _SKLEARN) -> Case:
    return Case(
        name=name,
        source=_DEPLOYMENT,
        joined=(
            ("mlflow:model", "model/MLmodel", _MODEL.format(flavor=flavor, fields=fields)),
            ("training:trained.txt", "trained.txt", "numpy==1.26.4\npandas==2.0.3\ncloudpickle==2.2.1\n"),
            ("packages:installed.txt", "installed.txt", packages),
        ),
        fires=bool(line),
        line=line,
    )


CHECK = Check(
    id="training-serving-package-skew",
    title="The serving image has a release of a library in which the model may behave otherwise than in training",
    category="model",
    severity="high",
    confidence="likely",
    facts=(SERVING, TRAINING, _FORMAT, RELEASE),
    run=run,
    playbook="model-identity",
    cases=(
        _case("scikit-learn of another minor release for a pickle", "numpy==1.26.4\nscikit_learn==1.5.0\n", line=2),
        _case("another Python for what cloudpickle saved", "# image\npython 3.12.3\nscikit-learn==1.2.2\n", line=2),
        _case("NumPy of another major release", "scikit-learn==1.2.2\nnumpy==2.1.0\n", line=2),
        _case("an older XGBoost for its own format", "xgboost==1.7.6\n", line=1, flavor="xgboost", fields=_BOOSTER),
        _llm("what the release of the engine pins: PyTorch of another major release", torch="1.13.1", line=9),
        _llm("an engine that brings another minor release of PyTorch", torch="2.5.1"),
        _case("a patch release, and a build tag", "scikit-learn==1.2.1\nnumpy==1.26.4+mkl\n"),
        _case("a range, which tells no release", "scikit-learn>=1.2\nnumpy\n"),
        _case("another spelling of one name", "Scikit_Learn==1.2.2\nNumPy==1.26.0\n"),
        _case("a newer XGBoost for its own format", "xgboost==2.1.4\n", flavor="xgboost", fields=_BOOSTER),
        _case("libraries that never touch the model", "scikit-learn==1.2.2\nflask==3.0.0\ngunicorn==22.0.0\n"),
    ),
)
