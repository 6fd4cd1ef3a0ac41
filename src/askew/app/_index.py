"""Written by `make generate`; do not edit. Names of plug-ins to the modules that hold them."""

from __future__ import annotations

from collections.abc import Mapping

ENGINES: Mapping[str, str] = {
    "sglang": "askew.engines.sglang",
    "tgi": "askew.engines.tgi",
    "vllm": "askew.engines.vllm",
}
CHECKS: Mapping[str, str] = {}
COLLECTORS: Mapping[str, str] = {
    "": "askew.collectors.files",
    "cmd": "askew.collectors.command",
    "file": "askew.collectors.files",
    "git": "askew.collectors.git",
    "helm": "askew.collectors.helm",
    "kustomize": "askew.collectors.kustomize",
}
