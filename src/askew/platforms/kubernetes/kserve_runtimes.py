"""Which engine KServe's shipped runtimes start for a model, where the runtime itself is not among the sources.

Source: config/runtimes of https://github.com/kserve/kserve, at the tags v0.11.0 to v0.20.0. The cluster's runtimes
there have these names and formats. A cluster may have others, so this is what is likely, not what is seen.
"""

from __future__ import annotations

from collections.abc import Mapping

# Format → (engine, server of KServe's own, empty for others). ``pytorch`` and ``tensorflow`` with protocol v2 differ.
_FORMATS: Mapping[str, tuple[str, str]] = {
    "huggingface": ("kserve", "huggingfaceserver"),
    "sklearn": ("kserve", "sklearnserver"),
    "xgboost": ("kserve", "xgbserver"),
    "lightgbm": ("kserve", "lgbserver"),
    "pmml": ("kserve", "pmmlserver"),
    "paddle": ("kserve", "paddleserver"),
    "autogluon": ("kserve", "autogluonserver"),
    "mlflow": ("mlserver", ""),
    "mlserver": ("mlserver", ""),
    "triton": ("triton", ""),
    "tensorrt": ("triton", ""),
    "onnx": ("triton", ""),
    "tensorflow": ("tf-serving", ""),
    "pytorch": ("torchserve", ""),
}
# With protocol v2, kserve-mlserver has the higher priority for these, and kserve-tritonserver alone speaks it for that.
_SECOND: Mapping[str, tuple[str, str]] = {
    "sklearn": ("mlserver", ""),
    "xgboost": ("mlserver", ""),
    "lightgbm": ("mlserver", ""),
    "tensorflow": ("triton", ""),
}
_NAMES: Mapping[str, tuple[str, str]] = {
    "kserve-huggingfaceserver": ("kserve", "huggingfaceserver"),
    "kserve-huggingfaceserver-multinode": ("kserve", "huggingfaceserver"),
    "kserve-sklearnserver": ("kserve", "sklearnserver"),
    "kserve-xgbserver": ("kserve", "xgbserver"),
    "kserve-lgbserver": ("kserve", "lgbserver"),
    "kserve-pmmlserver": ("kserve", "pmmlserver"),
    "kserve-paddleserver": ("kserve", "paddleserver"),
    "kserve-predictiveserver": ("kserve", "predictiveserver"),
    "kserve-autogluonserver": ("kserve", "autogluonserver"),
    "kserve-mlserver": ("mlserver", ""),
    "kserve-tritonserver": ("triton", ""),
    "kserve-tensorflow-serving": ("tf-serving", ""),
    "kserve-torchserve": ("torchserve", ""),
}


def shipped(name: str, model_format: str, protocol: str) -> tuple[str, str]:
    """The engine, and the server where it is one of KServe's own; empty where the shipped runtimes do not tell.

    ``name`` is the runtime that the service names, empty where KServe selects one by format and protocol.
    """
    if name:
        return _NAMES.get(name, ("", ""))
    if protocol in ("v2", "grpc-v2") and model_format in _SECOND:
        return _SECOND[model_format]
    return _FORMATS.get(model_format, ("", ""))
