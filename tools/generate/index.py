"""``src/askew/app/_index.py``, ``src/askew/engines/_index.py`` and ``_live.py``: where each engine, check and collector
lives, and by which words an engine is found, so that finding one imports none."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path

from askew.engines.interface import Recognition

SRC = Path(__file__).resolve().parents[2] / "src" / "askew"
PATH = SRC / "app" / "_index.py"
ENGINES_PATH = SRC / "engines" / "_index.py"
LIVE_PATH = SRC / "engines" / "_live.py"


def render_engines() -> str:
    """The text of the index of engines, sorted by name."""
    rows = [
        "    "
        + f'"{one.name}": Entry(\n        module="{module}",\n        hints={_words(one.hints)},\n'
        + (f"        files={_words(one.files, 8)},\n" if one.files else "")
        + _shapes(one.shapes)
        + _marks(one.marks)
        + "    ),"
        for module, one in sorted(_recognitions(), key=lambda pair: pair[1].name)
    ]
    return "\n".join(
        [
            '"""Written by `make generate`; do not edit. Engines, and the plain words by which they are found."""',
            "",
            "from __future__ import annotations",
            "",
            "from collections.abc import Mapping",
            "",
            "from askew.engines.interface import Entry",
            "",
            "ENGINES: Mapping[str, Entry] = {",
            *rows,
            "}",
            "",
        ]
    )


def _marks(marks: tuple[str, ...]) -> str:
    rows = "".join(f"            {json.dumps(mark)},\n" for mark in marks)
    return f"        marks=(\n{rows}        ),\n" if marks else ""


def _shapes(shapes: tuple[tuple[str, ...], ...]) -> str:
    """A line for each, as the formatter has it; one alone stays in one line."""
    if len(shapes) == 1:
        return f"        shapes=({_words(shapes[0])},),\n"
    rows = "".join(f"            {_words(shape)},\n" for shape in shapes)
    return f"        shapes=(\n{rows}        ),\n" if shapes else ""


def _words(words: tuple[str, ...], indent: int = 0) -> str:
    line = "(" + ", ".join(f'"{word}"' for word in words) + ("," if len(words) == 1 else "") + ")"
    if not indent or len(line) < 100:
        return line
    inner = "".join(f'{" " * (indent + 4)}"{word}",\n' for word in words)
    return f"(\n{inner}{' ' * indent})"


def render() -> str:
    """The text of the index of checks and collectors, sorted by name."""
    return _mappings(
        "Written by `make generate`; do not edit. Names of plug-ins to the modules that hold them.",
        (("CHECKS", dict(_checks())), ("COLLECTORS", dict(_collectors()))),
    )


def render_live() -> str:
    """The text of the index of how running engines speak: modules by the name of the engine."""
    return _mappings(
        "Written by `make generate`; do not edit. Engines to the modules that read what they say while they run.",
        (
            ("ENDPOINTS", dict(_modules("endpoints"))),
            ("LOGS", dict(_modules("log"))),
            ("METERS", dict(_modules("meters"))),
        ),
    )


def _mappings(title: str, named: Sequence[tuple[str, Mapping[str, str]]]) -> str:
    lines = [
        f'"""{title}"""',
        "",
        "from __future__ import annotations",
        "",
        "from collections.abc import Mapping",
        "",
    ]
    for name, entries in named:
        rows = [f'    "{key}": "{module}",' for key, module in sorted(entries.items())]
        lines.extend([f"{name}: Mapping[str, str] = {{", *rows, "}"] if rows else [f"{name}: Mapping[str, str] = {{}}"])
    return "\n".join(lines) + "\n"


def _modules(part: str) -> Iterator[tuple[str, str]]:
    for package, recognition in _recognitions():
        if (SRC / "engines" / package.rpartition(".")[2] / f"{part}.py").exists():
            yield recognition.name, f"{package}.{part}"


def _recognitions() -> Iterator[tuple[str, Recognition]]:
    for folder in sorted((SRC / "engines").iterdir()):
        if (folder / "engine.py").exists():
            package = f"askew.engines.{folder.name}"
            yield package, import_module(package).RECOGNITION


def _checks() -> Iterator[tuple[str, str]]:
    for file in sorted((SRC / "checks" / "rules").glob("[a-z]*.py")):
        module = f"askew.checks.rules.{file.stem}"
        yield import_module(module).CHECK.id, module


def _collectors() -> Iterator[tuple[str, str]]:
    for folder in sorted((SRC / "collectors").iterdir()):
        if (folder / "__init__.py").exists():
            module = f"askew.collectors.{folder.name}"
            for scheme in import_module(module).COLLECTOR.schemes:
                yield scheme, module
