"""``src/askew/app/_index.py``: where each engine, check and collector lives, so that finding one imports none."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

SRC = Path(__file__).resolve().parents[2] / "src" / "askew"
PATH = SRC / "app" / "_index.py"


def render() -> str:
    """The text of the module, sorted by name."""
    lines = [
        '"""Written by `make generate`; do not edit. Names of plug-ins to the modules that hold them."""',
        "",
        "from __future__ import annotations",
        "",
        "from collections.abc import Mapping",
        "",
    ]
    for name, entries in (
        ("ENGINES", dict(_engines())),
        ("CHECKS", dict(_checks())),
        ("COLLECTORS", dict(_collectors())),
    ):
        lines.append(f"{name}: Mapping[str, str] = {{")
        lines.extend(f'    "{key}": "{module}",' for key, module in sorted(entries.items()))
        lines.append("}")
    return "\n".join(lines) + "\n"


def _engines() -> Iterator[tuple[str, str]]:
    for folder in sorted((SRC / "engines").iterdir()):
        if (folder / "engine.py").exists():
            package = f"askew.engines.{folder.name}"
            yield import_module(package).RECOGNITION.name, package


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
