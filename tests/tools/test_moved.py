"""A variable that a release reads in another file than before is not gone."""

from __future__ import annotations

from pathlib import Path

from tools.engines.reader import Content
from tools.engines.releases import with_moved


def test_a_variable_that_moved_stays(tmp_path: Path) -> None:
    folders = []
    for number, text in enumerate(('getenv("ONE_URL")', 'x = {\n "ONE_URL": 1}\n# TWO_URL', "")):
        folders.append(tmp_path / str(number))
        (folders[-1] / "pkg").mkdir(parents=True)
        (folders[-1] / "pkg" / "a.py").write_text(text, encoding="utf-8")
    first: Content = {"variables": {"ONE_URL": {"at": "main.py:1"}, "TWO_URL": {"at": "main.py:2"}}}
    found = [dict(one["variables"]) for one in with_moved([first, {}, {}], folders, "pkg/**/*.py")]
    assert found[0] == first["variables"]
    assert found[1] == {"ONE_URL": {"at": "pkg/a.py:2"}}
    assert found[2] == {}
