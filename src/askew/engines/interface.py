"""What an engine folder provides.

An engine folder ``engines/<name>/`` has ``engine.py`` with a module-level ``ENGINE`` that satisfies ``Engine``,
``flags.py`` (its arguments as data) and ``versions/`` (defaults of releases, as data). Its cases, inputs with expected
facts, are in ``tests/engines/<name>/``. ``RECOGNITION`` in its ``__init__.py`` is plain data, so that finding
the engine of a launch imports no engine.
"""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias

import msgspec

from askew.evidence.launch import Launch
from askew.resolve.observation import Observation
from askew.resolve.rule import Rule
from askew.resolve.workload import Problem, Upstream

# What people use it for: the docs list engines by it.
Family: TypeAlias = Literal["language models", "embeddings", "model servers", "hops"]


class Recognition(msgspec.Struct, frozen=True, kw_only=True):
    """How to tell an engine from a launch, without importing the engine.

    ``programs`` are regular expressions matched against the words of the argument vector joined by a blank, from the
    start of the program (``(\\S*/)?vllm serve``, ``python\\S* -m vllm\\.entrypoints``); ``images`` against the image
    repository, for images whose own entrypoint is the engine; ``module`` is where the engine lives. ``hints`` are plain
    texts one of which stands in everything that ``programs`` and ``images`` can match: the cheap look before them.
    ``starts`` are command lines that start it, up to where its arguments begin. ``image`` is its published image with
    ``{}`` for the release, and ``words`` the least that this image must be given: how `askew defaults` starts it.
    ``gpus`` are the GPUs on which it does so, one of each class between which the engine's defaults differ.

    Some engines are libraries that a program of the user's own starts. ``imports`` are their modules: a Python program
    that a source shows, and that imports one of them, is this engine.

    Some engines are configured by files that stand alone. ``files`` are patterns of their names as ``fnmatch`` has them
    (``config.pbtxt``), of their paths where they hold a slash; ``shapes`` are sets of top-level keys that together tell
    such a YAML or JSON file from any other (``model_list`` of LiteLLM); a key of a list's entries is written
    ``applications[].import_path``. A source that is such a file is handed to the engine as a launch without words whose
    ``files`` hold it. Where other programs have files of such names too, ``marks`` are plain texts one of which stands
    in every such file that is the engine's. ``forwards``: it passes requests on to other engines, and its readings have
    ``upstreams``.
    """

    name: str
    title: str
    module: str
    programs: tuple[str, ...]
    images: tuple[str, ...]
    hints: tuple[str, ...]
    starts: tuple[str, ...] = ()
    family: Family = "language models"
    image: str = ""
    words: tuple[str, ...] = ()
    gpus: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    shapes: tuple[tuple[str, ...], ...] = ()
    marks: tuple[str, ...] = ()
    forwards: bool = False


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What the index of engines says of one, so that looking for an engine imports none.

    ``module`` has its ``RECOGNITION``, of which the rest is a part.
    """

    module: str
    hints: tuple[str, ...]
    files: tuple[str, ...] = ()
    shapes: tuple[tuple[str, ...], ...] = ()
    marks: tuple[str, ...] = ()


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine made of a launch.

    ``version`` is the release as the engine names it, or None. ``mapped`` counts the arguments understood,
    ``unmapped`` lists those no table knows, as written; ``variables`` counts the engine's own variables that a table
    knows, ``strange`` lists those that none does: the measure of coverage. ``upstreams`` are the engines to which it
    passes requests on.
    """

    observations: tuple[Observation, ...]
    rules: tuple[Rule, ...] = ()
    problems: tuple[Problem, ...] = ()
    version: str | None = None
    mapped: int = 0
    unmapped: tuple[str, ...] = ()
    variables: int = 0
    strange: tuple[str, ...] = ()
    upstreams: tuple[Upstream, ...] = ()


class Engine(Protocol):
    """One serving engine. Pure: a launch in, observations out, no I/O."""

    name: str
    unsupported: dict[str, str]  # fact key → why this engine cannot express it

    def read(self, launch: Launch) -> Reading:
        """Read one launch of this engine.

        Never raises on what a user may write: what the engine would reject becomes a ``Problem``.
        """
        ...

    def flag_for(self, fact: str, version: str | None) -> str | None:
        """The argument that sets ``fact`` in this release, as a user writes it (``--max-model-len``), or None."""
        ...
