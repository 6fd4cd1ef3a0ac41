"""Releases that are tags of a public git repository, as text: a clone is read with git, nothing in it is run."""

from __future__ import annotations

import pathlib
import re
import shutil
import subprocess
import tempfile

from askew.engines.versions import release_key
from tools.engines.published import LARGEST, UnpublishedError
from tools.engines.reader import Beside, Repository

_LOCK = 8_000_000  # bytes of a lock file: what a release pins, with the hashes of every file of every package


def clone(source: Repository | Beside, cache: pathlib.Path, *, offline: bool) -> pathlib.Path:
    """The clone of a repository in the cache, ``owner+name``, made or brought up to date unless ``offline``.

    Raises ``UnpublishedError`` where there is none and none can be had.
    """
    folder = cache / source.slug.replace("/", "+")
    address = f"https://github.com/{source.slug}"
    if folder.exists():
        if not offline:
            branches = ("+refs/heads/*:refs/heads/*",) if isinstance(source, Beside) else ()
            _git(folder, "fetch", "--quiet", "--tags", address, *branches)
        return folder
    if offline:
        raise UnpublishedError(f"{folder} is not there; leave out --offline, or clone {address} to it")
    cache.mkdir(parents=True, exist_ok=True)
    _git(cache, "clone", "--quiet", "--bare", "--filter=blob:none", address, folder.name)
    return folder


def tagged(source: Repository, folder: pathlib.Path) -> dict[str, str]:
    """Release → tag, oldest first: every final release of the clone."""
    pattern = re.compile(source.tags)
    found = {match[1]: tag for tag in _git(folder, "tag").split() if (match := pattern.fullmatch(tag))}
    return dict(sorted(found.items(), key=lambda one: release_key(one[0])))


def unpack(source: Repository | Beside, folder: pathlib.Path, tag: str, cache: pathlib.Path) -> pathlib.Path:
    """The folder with the text of one tag or branch; read from the clone at the first call.

    Raises ``UnpublishedError`` where the clone has no such tag.
    """
    target = cache / "tags" / source.slug.replace("/", "+") / tag
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        text = pathlib.Path(scratch) / "text"
        text.mkdir()
        for name in _git(folder, "ls-tree", "-r", "-z", "--name-only", tag, "--", *source.paths).split("\0"):
            if name and ".." not in name.split("/") and not name.startswith("/"):
                content = subprocess.run(
                    ["git", "-C", str(folder), "show", f"{tag}:{name}"], capture_output=True, check=False
                )
                if content.returncode == 0 and len(content.stdout) <= (_LOCK if name.endswith(".lock") else LARGEST):
                    path = text / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content.stdout)
        shutil.move(text, target)
    return target


def _git(folder: pathlib.Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise UnpublishedError(f"git {words[0]}: {lines[-1] if lines else 'failed'}")
    return done.stdout
