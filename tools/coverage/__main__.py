"""``python -m tools.coverage [CORPUS]`` writes docs/reference/coverage.md and, for the page of engines, the shares;
``--check`` fails when the page is stale.

Without a corpus there is nothing to check: users of the project have none, and ``--check`` then passes.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tools.coverage.measure import ENGINES, measure
from tools.coverage.page import page, shares

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "coverage.md"
MEASURED = ROOT / "tools" / "coverage" / "measured.json"
BESIDE = ROOT.parent / "shared" / "corpus"


def main() -> int:
    """Write or check the page and print the shares."""
    words = [word for word in sys.argv[1:] if word != "--check"]
    corpus = Path(words[0]) if words else BESIDE
    if not (corpus / "index.jsonl").exists():
        if "--check" in sys.argv[1:]:
            return 0
        print(f"{corpus}: no corpus (index.jsonl) there; name its directory", file=sys.stderr)
        return 2
    found = measure(corpus)
    text = page(found)
    if "--check" in sys.argv[1:]:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
            return 0
        print(f"{PAGE}: stale; run `python -m tools.coverage` and commit the result", file=sys.stderr)
        return 1
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(text, encoding="utf-8")
    MEASURED.write_text(shares(found), encoding="utf-8")
    for name in ENGINES:
        one = found.launches[name]
        print(f"{name}: {one.count} launches, {one.mapped} arguments known, {len(one.unmapped)} not: {one.share:.2%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
