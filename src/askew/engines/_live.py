"""Written by `make generate`; do not edit. Engines to the modules that read what they say while they run."""

from __future__ import annotations

from collections.abc import Mapping

ENDPOINTS: Mapping[str, str] = {}
LOGS: Mapping[str, str] = {}
