"""Captured or pasted outputs of nvidia-smi, rocm-smi and their like; and the tools themselves, on this machine."""

from askew.collectors.smi.collect import COLLECTOR

__all__ = ["COLLECTOR"]
