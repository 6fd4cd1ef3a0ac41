"""Files and directories as they were at a revision of a git repository."""

from askew.collectors.git.collect import COLLECTOR

__all__ = ["COLLECTOR"]
