"""Published releases of a Python package as text: downloaded with the ordinary pip client, never imported or run.

pip asks a source distribution's build back end for its metadata, and with it the code of the package could run. So
pip works for an environment whose back ends are stand-ins that copy ``PKG-INFO``, and which ends at once where a
package brings a back end of its own. Where a release has no source distribution, its wheel is read.
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence

from askew.engines.versions import release_key

# The ABI tags under which packages of inference engines publish their Linux wheels.
PLATFORMS = ("2_35", "2_34", "2_31", "2_28", "2_17")
LARGEST = 2_000_000  # bytes of one text file; what is larger is generated
_UNREAD = re.compile(r"(^|/)(tests?|csrc|third_party|model_executor/models|benchmarks?|examples|configs)(/|$)")
_READ = re.compile(r"(\.py$|(^|/)Dockerfile[^/]*$)")

_BACK_END = '''\
"""A build back end that builds nothing: the metadata is what the archive says."""
import os
import re


def get_requires_for_build_wheel(config_settings=None):
    return []


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    with open("PKG-INFO", encoding="utf-8") as file:
        text = file.read()
    name, version = (re.search(rf"^{key}: (.*)$", text, re.M)[1].strip() for key in ("Name", "Version"))
    folder = f"{name.replace('-', '_')}-{version}.dist-info"
    os.makedirs(os.path.join(metadata_directory, folder))
    for entry, content in (("METADATA", text), ("WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\n")):
        with open(os.path.join(metadata_directory, folder, entry), "w", encoding="utf-8") as file:
            file.write(content)
    return folder
'''
_NO_OWN_BACK_END = """\
import os

if any("BACKEND_PATH" in name for name in os.environ):
    os._exit(3)
"""
# The last two are NVIDIA's: their source distributions hold the metadata alone and would download the wheel.
_BACK_ENDS = (
    *("setuptools/build_meta.py", "scikit_build_core/build.py", "hatchling/build.py"),
    *("wheel_stub/buildapi.py", "nvidia_stub/buildapi.py"),
)


class UnpublishedError(Exception):
    """A release that pip cannot get."""


def published(package: str) -> tuple[str, ...]:
    """Every final release of ``package`` on the index that pip is configured with, oldest first."""
    shown = subprocess.run(
        [sys.executable, "-m", "pip", "index", "versions", package], capture_output=True, text=True, check=True
    ).stdout
    listed = re.search(r"Available versions: (.*)", shown)
    found = listed[1].split(", ") if listed else []
    return tuple(sorted((one for one in found if not re.search(r"a|b|rc|dev", one)), key=release_key))


def fetch(package: str, version: str, cache: pathlib.Path, also: str = "") -> pathlib.Path:
    """The folder with the text files of one release; downloaded on the first call, the archive is not kept.

    ``also`` is a regular expression of names of text files beside Python ones and Dockerfiles.

    Raises ``UnpublishedError`` with pip's last line where neither a source distribution nor a wheel can be had.
    """
    folder = cache / package / version
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        target = pathlib.Path(scratch)
        archive = _source(package, version, cache, target) or _wheel(package, version, target)
        text = target / "text"
        text.mkdir()
        unpack(archive, text, also)
        shutil.move(text, folder)
    return folder


def _source(package: str, version: str, cache: pathlib.Path, target: pathlib.Path) -> pathlib.Path | None:
    python = _stand_in(cache)
    command = ["--python", str(python), "download", "--no-deps", "--no-binary", ":all:", "--no-build-isolation"]
    try:
        return _pip([*command, "--use-pep517", "--dest", str(target), f"{package}=={version}"], target)
    except UnpublishedError:
        return None


def _wheel(package: str, version: str, target: pathlib.Path) -> pathlib.Path:
    platforms = [f"--platform=manylinux_{abi}_x86_64" for abi in PLATFORMS]
    platforms += ["--platform=manylinux1_x86_64", "--platform=manylinux2014_x86_64"]
    errors = []
    for python in ("3.12", "3.11", "3.10"):
        command = ["download", "--no-deps", "--only-binary", ":all:", "--python-version", python, *platforms]
        try:
            return _pip([*command, "--dest", str(target), f"{package}=={version}"], target)
        except UnpublishedError as error:
            errors.append(str(error))
    raise UnpublishedError(f"{package} {version}: {errors[0]}")


def _pip(arguments: Sequence[str], target: pathlib.Path) -> pathlib.Path:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    archives = [path for path in target.iterdir() if path.is_file()]
    if done.returncode or not archives:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise UnpublishedError(lines[-1] if lines else "pip gave no archive")
    return archives[0]


def _stand_in(cache: pathlib.Path) -> pathlib.Path:
    """The interpreter of the environment whose back ends build nothing."""
    home = cache / "stand-in"
    python = home / "bin" / "python"
    if not python.exists():
        venv.create(home, symlinks=True, with_pip=False)
    packages = next((home / "lib").glob("python*/site-packages"))
    (packages / "sitecustomize.py").write_text(_NO_OWN_BACK_END, encoding="utf-8")
    for path in _BACK_ENDS:
        module = packages / path
        if not module.exists():
            module.parent.mkdir(exist_ok=True)
            (module.parent / "__init__.py").touch()
            module.write_text(_BACK_END, encoding="utf-8")
    return python


def unpack(archive: pathlib.Path, into: pathlib.Path, also: str = "") -> None:
    """Write the text of the package that an archive holds; names that lead outside ``into`` are left out."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            members = ((info.filename, info.file_size, _reader(wheel, info)) for info in wheel.infolist())
            _write(members, into, also)
        return
    with tarfile.open(archive) as source:
        _write(_members(source), into, also)


def _reader(wheel: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], bytes]:
    return lambda: wheel.read(info)


def _members(source: tarfile.TarFile) -> Iterator[tuple[str, int, Callable[[], bytes]]]:
    for member in source:
        if member.isfile():
            file = source.extractfile(member)
            if file is not None:
                yield member.name.partition("/")[2] or member.name, member.size, file.read  # some have no folder


def _write(members: Iterable[tuple[str, int, Callable[[], bytes]]], into: pathlib.Path, also: str) -> None:
    """Write the text files among the members, and nothing outside ``into``."""
    for name, size, read in members:
        parts = name.split("/")
        wanted = (_READ.search(name) and not _UNREAD.search(name)) or (also and re.search(also, name))
        if ".." in parts or name.startswith("/") or size > LARGEST or not wanted:
            continue
        path = into / name
        os.makedirs(path.parent, exist_ok=True)
        path.write_bytes(read())
