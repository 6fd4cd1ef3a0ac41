"""Reads what training and validation recorded: ``mlflow:``, ``training:``."""

from askew.collectors.training.collect import COLLECTOR

__all__ = ["COLLECTOR"]
