"""``python -m tools.generate`` writes; ``--check`` fails when something committed is not what would be written."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tools.generate import checks, cli, clusterrole, engines, facts, index, platform_defaults, readme, schemas

OUTPUTS: Mapping[Path, Callable[[], str]] = {
    index.PATH: index.render,
    index.ENGINES_PATH: index.render_engines,
    index.LIVE_PATH: index.render_live,
    **facts.OUTPUTS,
    **checks.OUTPUTS,
    **engines.OUTPUTS,
    **platform_defaults.OUTPUTS,
    **cli.OUTPUTS,
    clusterrole.PATH: clusterrole.render,
    **schemas.OUTPUTS,
    **readme.OUTPUTS,
}


def main() -> int:
    """Write every output, or with ``--check`` name those that are stale and return 1."""
    if "--check" not in sys.argv[1:]:
        for path, render in OUTPUTS.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(render(), encoding="utf-8")
        return 0
    stale = [
        path for path, render in OUTPUTS.items() if not path.exists() or path.read_text(encoding="utf-8") != render()
    ]
    for path in stale:
        print(f"{path}: stale; run `make generate` and commit the result", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
