"""``askew demo``: a real kind of incident, bundled, from the two manifests to the finding. No network, no cluster."""

from __future__ import annotations

import os
import shutil
from typing import TextIO

from askew.app.errors import UsageError
from askew.app.pipeline import Options, diff
from askew.report.render import render

HERE = os.path.dirname(__file__)
FILES = ("last-good.yaml", "current.yaml")

_STORY = """\
The incident: since this morning's clean-up of the manifests the service is slower, long answers end in
504, and their style has changed. Nothing crashed. The model, its revision and the image are the same.

  diff last-good.yaml current.yaml    → {lines} changed lines: order, quoting, defaults that the API server filled in.
  askew diff last-good.yaml current.yaml
"""

_AFTER = """
What to do next
  askew check current.yaml                         what is risky without any reference
  askew init last-good.yaml                        write the intent down (modelspec.yaml), and then
  askew check current.yaml                         it is compared with every time
  askew explain serving.read_timeout               what a fact means and how to see it
"""


def demo(out: TextIO, *, color: bool, width: int, keep: str | None) -> int:
    """Run the bundled incident and return 0. ``keep`` is a directory to leave the two files in.

    Raises UsageError when that directory cannot be written.
    """
    if keep is not None:
        try:
            os.makedirs(keep, exist_ok=True)
            for name in FILES:
                shutil.copyfile(os.path.join(HERE, name), os.path.join(keep, name))
        except OSError as error:
            raise UsageError(f"--keep {keep}: {error.strerror}", "name a directory that can be written") from None
    before = os.getcwd()
    os.chdir(HERE)  # so that places read `current.yaml:80`, as they would for the user's own files
    try:
        report = diff(*FILES, Options())
    finally:
        os.chdir(before)
    out.write(_STORY.format(lines=_changed_lines()) + "\n")
    out.write(render(report, "text", color=color, width=width, verbose=False))
    out.write(_AFTER)
    if keep is not None:
        out.write(f"\nThe two files are in {keep}.\n")
    return 0


def _changed_lines() -> int:
    from difflib import unified_diff

    texts: list[list[str]] = []
    for name in FILES:
        with open(os.path.join(HERE, name), encoding="utf-8") as file:
            texts.append(file.readlines())
    return sum(line[:1] in "+-" and line[:3] not in ("+++", "---") for line in unified_diff(texts[0], texts[1], n=0))
