"""Metrics that no engine gives, but exporters beside it: of its GPUs, and of its pods."""

from __future__ import annotations

from askew.engines.live import Meters

TABLES: tuple[Meters, ...] = ()
