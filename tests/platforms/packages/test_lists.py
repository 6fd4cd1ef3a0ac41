"""Lists of packages as tools write them, through the source that names them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.app.load import load
from askew.evidence.location import Location
from askew.evidence.redaction import Redactor
from askew.platforms.packages.pin import canonical, states
from askew.platforms.packages.requirements import of_requirement, of_text
from askew.resolve.observation import Unknown

FACT = "runtime.packages"


def side(path, scheme="packages"):
    return load(f"{scheme}:{path}", "target", Redactor())


def packages(path, scheme="packages", fact=FACT):
    found = side(path, scheme)
    assert not found.errors, found.errors
    (snapshot,) = found.snapshots
    return snapshot.facts[fact].entries


def known(entries):
    return {name: entry.value for name, entry in entries.items() if entry.state == "known"}


def write(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
    return path


FREEZE = """\
# pip freeze
Scikit_Learn==1.5.0
torch==2.6.0+cu124
numpy == 1.26.4  # pinned
transformers[torch,sentencepiece]==4.51.3 ; python_version >= "3.9"
pandas>=2,<3
scipy
mypkg @ git+https://github.com/me/mypkg@abc
wheel @ file:///tmp/wheel-0.43.0-py3-none-any.whl
-e ./local
--extra-index-url https://host/simple
xgboost==2.* \\
    --hash=sha256:aa
lightgbm==4.3.0 \\
    --hash=sha256:bb
"""


def test_what_pip_freeze_and_requirements_files_say(tmp_path):
    entries = packages(write(tmp_path, "installed.txt", FREEZE))
    assert known(entries) == {
        "scikit-learn": "1.5.0",
        "torch": "2.6.0+cu124",
        "numpy": "1.26.4",
        "transformers": "4.51.3",
        "wheel": "0.43.0",
        "lightgbm": "4.3.0",
    }
    assert entries["scikit-learn"].locations[0].line == 2
    assert entries["transformers"].confidence == "likely", "it depends on a marker"
    assert {name: entry.state for name, entry in entries.items() if entry.state != "known"} == dict.fromkeys(
        ("pandas", "scipy", "mypkg", "xgboost"), "unknown"
    )
    assert entries["pandas"].reason == "a range, no pin: >=2,<3"


@pytest.mark.parametrize(
    "text",
    [
        "Package    Version\n---------- -------\nnumpy      1.26.4\ntorch      2.6.0+cu124\n",
        "Package    Version   Editable project location\n------- ------- ------\n"
        "numpy 1.26.4\ntorch 2.6.0+cu124 /src/x\n",
        "# packages in environment at /opt/conda:\n# Name  Version  Build  Channel\n"
        "numpy   1.26.4  py311h64a7726_0  conda-forge\npytorch  2.6.0+cu124  py3.11_cuda  pytorch\n",
        "@EXPLICIT\nhttps://conda.anaconda.org/conda-forge/linux-64/numpy-1.26.4-py311h64a7726_0.conda\n"
        "https://conda.anaconda.org/pytorch/linux-64/pytorch-2.6.0+cu124-py3.11_0.tar.bz2#0123\n",
    ],
)
def test_tables_and_explicit_lists(tmp_path, text):
    entries = packages(write(tmp_path, "list.txt", text))
    assert {name: entries[name].value for name in ("numpy", "torch")} == {"numpy": "1.26.4", "torch": "2.6.0+cu124"}


UV = """\
version = 1
requires-python = ">=3.11"

[[package]]
name = "numpy"
version = "1.26.4"
source = { registry = "https://pypi.org/simple" }

[[package]]
name = "my-app"
version = "0.1.0"
source = { editable = "." }

[[package]]
name = "torch"
version = "2.6.0"
source = { registry = "https://pypi.org/simple" }

[[package]]
name = "torch"
version = "2.5.1"
source = { registry = "https://pypi.org/simple" }
"""
PYLOCK = """\
lock-version = '1.0'
created-by = 'uv'

[[packages]]
name = 'numpy'
version = '1.26.4'
marker = "python_version < '3.13'"
"""


def test_locks_in_toml(tmp_path):
    entries = packages(write(tmp_path, "uv.lock", UV))
    assert known(entries) == {"numpy": "1.26.4"}
    assert entries["numpy"].locations[0].line == 5
    assert entries["torch"].reason == "named with several versions: 2.5.1, 2.6.0"
    assert packages(write(tmp_path, "pylock.toml", PYLOCK))["numpy"].confidence == "likely"


CONDA = """\
name: train
channels: [conda-forge]
dependencies:
  - python=3.10
  - conda-forge::numpy=1.26.4=py310_0
  - scikit-learn==1.2.2
  - pytorch=2.6.0
  - scipy>=1.9
  - pip:
      - xgboost==2.0.3
"""


def test_environments_and_locks_of_conda(tmp_path):
    entries = packages(write(tmp_path, "environment.yml", CONDA))
    assert known(entries) == {"numpy": "1.26.4", "scikit-learn": "1.2.2", "torch": "2.6.0", "xgboost": "2.0.3"}
    assert entries["python"].reason == "a range, no pin: =3.10", "conda takes any 3.10"
    lock = {
        "version": 1,
        "metadata": {"platforms": ["linux-64", "osx-arm64"]},
        "package": [
            {"name": "numpy", "version": "1.26.4", "manager": "conda", "platform": "linux-64"},
            {"name": "numpy", "version": "1.26.3", "manager": "conda", "platform": "osx-arm64"},
        ],
    }
    assert known(packages(write(tmp_path, "conda-lock.yml", lock))) == {"numpy": "1.26.4"}
    pipfile = {"_meta": {"hash": {}}, "default": {"numpy": {"version": "==1.26.4"}}, "develop": {"pytest": {}}}
    assert known(packages(write(tmp_path, "Pipfile.lock", pipfile))) == {"numpy": "1.26.4"}


SPDX = {
    "spdxVersion": "SPDX-2.3",
    "packages": [
        {
            "name": "numpy",
            "versionInfo": "1.26.4",
            "externalRefs": [
                {"referenceType": "cpe23Type", "referenceLocator": "cpe:2.3:a:numpy:numpy:1.26.4"},
                {"referenceType": "purl", "referenceLocator": "pkg:pypi/numpy@1.26.4"},
            ],
        },
        {"name": "openssl", "versionInfo": "3.0", "externalRefs": [{"referenceLocator": "pkg:deb/debian/openssl@3.0"}]},
        {
            "name": "python",
            "versionInfo": "3.11.9",
            "externalRefs": [{"referenceLocator": "pkg:generic/python@3.11.9"}],
        },
    ],
}
CYCLONEDX = {
    "bomFormat": "CycloneDX",
    "components": [
        {"type": "library", "name": "numpy", "version": "1.26.4", "purl": "pkg:pypi/numpy@1.26.4"},
        {
            "type": "application",
            "name": "python",
            "purl": "pkg:generic/python@3.11.9",
            "components": [{"name": "Torch", "version": "2.6.0+cu124", "purl": "pkg:pypi/torch@2.6.0%2Bcu124"}],
        },
    ],
}
SPDX3 = {
    "@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld",
    "@graph": [
        {
            "type": "software_Package",
            "name": "numpy",
            "software_packageVersion": "1.26.4",
            "software_packageUrl": "pkg:pypi/numpy@1.26.4",
        }
    ],
}
SYFT = {
    "artifacts": [{"name": "numpy", "version": "1.26.4", "type": "python", "purl": "pkg:pypi/numpy@1.26.4"}],
    "descriptor": {"name": "syft"},
}
INSPECT = {
    "version": "1",
    "pip_version": "24.0",
    "installed": [{"metadata": {"name": "NumPy", "version": "1.26.4"}}],
    "environment": {"python_full_version": "3.11.9"},
}


@pytest.mark.parametrize("content", [SPDX, CYCLONEDX, SPDX3, SYFT, INSPECT, [{"name": "numpy", "version": "1.26.4"}]])
def test_bills_of_materials(tmp_path, content):
    entries = packages(write(tmp_path, "image.json", content), "sbom")
    assert entries["numpy"].value == "1.26.4"
    assert entries["numpy"].origin == "reported" and entries["numpy"].locations[0].line > 1
    assert "openssl" not in entries
    if "python" in entries:
        assert entries["python"].value == "3.11.9"
    if content is CYCLONEDX:
        assert entries["torch"].value == "2.6.0+cu124", "components may hold components"


def test_the_files_of_a_large_image_are_passed_over_and_lines_stay_true(tmp_path):
    files = [{"fileName": f"/usr/lib/python3/{number}.py", "SPDXID": f"f{number}"} for number in range(30_000)]
    content = {"spdxVersion": "SPDX-2.3", "files": files, "packages": SPDX["packages"]}
    path = write(tmp_path, "image.json", content)
    lines = path.read_text().splitlines()
    place = packages(path, "sbom")["numpy"].locations[0]
    assert lines[place.line - 1].strip() == '"versionInfo": "1.26.4",'
    path.write_text(path.read_text()[:-5])
    assert side(path, "sbom").errors


@pytest.mark.parametrize("content", [SPDX, CYCLONEDX])
def test_a_bill_of_materials_needs_no_scheme(tmp_path, content):
    found = load(str(write(tmp_path, "image.spdx.json", content)), "target", Redactor())
    assert not found.errors
    assert found.snapshots[0].facts[FACT].entries["numpy"].value == "1.26.4"


def test_the_same_list_of_the_training_side(tmp_path):
    path = write(tmp_path, "trained.txt", FREEZE)
    entries = packages(path, "training", "model.training.packages")
    assert entries["scikit-learn"].value == "1.5.0" and entries["scikit-learn"].origin == "model"


BAD = {
    "empty.txt": "",
    "prose.txt": "this is a letter, and no list\nof anything at all\n",
    "broken.lock": '[[package]]\nname = "numpy"\nversion = \n',
    "deep.lock": "[[package]]\nname = 'a'\nx = " + "[" * 5000 + "]" * 5000 + "\n",
    "bomb.yaml": "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{b}: &{b} [{','.join(['*' + a] * 10)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
    "deep.json": "[" * 100_000,
    "manifest.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n",
    "binary.txt": "PK\x03\x04\x00\x00",
    "sbom.json": json.dumps({"bomFormat": "CycloneDX", "components": {"a": 1}}),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_list_is_an_error_that_says_so(tmp_path, name):
    found = side(write(tmp_path, name, BAD[name]))
    assert not found.snapshots
    assert found.errors and all(error.message and error.hint for error in found.errors)
    assert found.statuses[0].status in ("failed", "partial")


@given(st.text(max_size=300))
def test_any_text_is_read_without_an_error(text):
    for pin in of_text(text, "x.txt"):
        assert pin.name and (isinstance(pin.version, (str, Unknown)))


@given(st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,20}[A-Za-z0-9])?", fullmatch=True))
def test_a_name_has_one_canonical_form(name):
    assert canonical(canonical(name)) == canonical(name)
    assert canonical(name.upper()) == canonical(name.replace("-", "_"))


@given(st.permutations(["a==1.0", "b==2.0", "a==1.0+cu124", "c>=3"]))
def test_the_order_of_a_list_means_nothing(lines):
    place = Location("x.txt", line=1, column=1)
    pins = [pin for line in lines if (pin := of_requirement(line, place)) is not None]
    found = {one.key: one.value for one in states(FACT, pins, origin="declared")}
    assert str(found["a"]).partition("+")[0] == "1.0" and found["b"] == "2.0"
    assert isinstance(found["c"], Unknown)


def test_secrets_of_a_list_are_not_kept(tmp_path):
    text = "--extra-index-url https://me:s3cr3t-canary-value@host/simple\nnumpy==1.26.4\n"
    found = side(write(tmp_path, "r.txt", text))
    assert "s3cr3t-canary-value" not in repr(found)
