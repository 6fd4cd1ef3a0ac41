"""Written by `make generate`; do not edit. Names of plug-ins to the modules that hold them."""

from __future__ import annotations

from collections.abc import Mapping

ENGINES: Mapping[str, str] = {
    "sglang": "askew.engines.sglang",
}
CHECKS: Mapping[str, str] = {
}
COLLECTORS: Mapping[str, str] = {
    "": "askew.collectors.files",
    "file": "askew.collectors.files",
}
