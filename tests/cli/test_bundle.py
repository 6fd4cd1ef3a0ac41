"""``askew bundle`` at the command line."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from askew.report.schema import bundle_schema
from tests.cli.conftest import INPUTS, Askew
from tests.cli.snapshot import same


@pytest.fixture
def out(tmp_path: Path) -> str:
    return str(tmp_path / "b.tar.gz")


def test_help_teaches_by_example(askew: Askew) -> None:
    same(askew("bundle", "--help").everything, "bundle-help.txt")


def test_it_says_what_it_wrote(askew: Askew, out: str) -> None:
    ran = askew("bundle", "last-good.yaml", "current.yaml", "-o", out)
    same(ran.everything.replace(out, "b.tar.gz"), "bundle-written.txt")


def test_the_members_and_the_manifest(askew: Askew, out: str) -> None:
    askew("bundle", "last-good.yaml", "compose.yaml+cmd:vllm serve m", "-o", out)
    with tarfile.open(out) as tar:
        names = "\n".join(f"{m.size:7} {m.name}" for m in tar.getmembers())
        manifest = tar.extractfile("manifest.json").read().decode()  # type: ignore[union-attr]
    version = json.loads(manifest)["tool"]["version"]
    same(f"{names}\n\n{manifest}".replace(f'"version": "{version}"', '"version": "…"'), "bundle-contents.txt")


def test_what_could_not_be_read_is_said_and_the_rest_is_there(askew: Askew, out: str) -> None:
    ran = askew("bundle", "nothing.yaml", "current.yaml", "-o", out)
    same(ran.everything.replace(out, "b.tar.gz"), "bundle-partial.txt")
    assert askew("facts", f"bundle:{out}#2").code == 0
    assert askew("facts", f"bundle:{out}#1").everything == askew("facts", "nothing.yaml").everything


def test_a_file_is_not_overwritten_unless_that_was_asked_for(askew: Askew, out: str) -> None:
    Path(out).write_text("mine")
    ran = askew("bundle", "current.yaml", "-o", out)
    assert ran.code == 2 and "--force" in ran.err and Path(out).read_text() == "mine"
    assert askew("bundle", "current.yaml", "-o", out, "--force").code == 0
    assert Path(out).read_bytes()[:2] == b"\x1f\x8b"


def test_no_half_of_a_bundle_is_left(askew: Askew, out: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("in the middle")

    monkeypatch.setattr("askew.app.timeline.Timeline.json", fail)
    assert askew("bundle", "current.yaml", "-o", out).code == 4
    assert not list(Path(out).parent.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-", "-"), "stdin can be read once"),
        (("nope:x",), "no collector"),
        (("",), "empty source"),
        (("current.yaml", "--key", "nothing"), "--key nothing"),
        (("current.yaml", "--key", "chat.service"), None),
        (("current.yaml", "-o", "no/such/folder/b.tgz"), "cannot be written"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(
    askew: Askew, out: str, words: tuple[str, ...], said: str | None
) -> None:
    given = words if "-o" in words else (*words, "-o", out)
    ran = askew("bundle", *given)
    if said is None:
        assert ran.code == 0
        return
    assert ran.code == 2 and said in ran.err and "hint: " in ran.err
    assert not Path(out).exists()


def test_a_key_must_be_long_enough(askew: Askew, out: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"short")
    ran = askew("bundle", "current.yaml", "-o", out, "--key", str(tmp_path / "key"))
    assert ran.code == 2 and "too few" in ran.err


def test_it_goes_to_stdout(askew: Askew, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdout(io.StringIO):
        buffer = io.BytesIO()

    stdout = Stdout()
    monkeypatch.setattr("sys.stdout", stdout)
    from askew.cli.run import run

    assert run(["bundle", str(INPUTS / "current.yaml"), "-o", "-"]) == 0
    assert stdout.buffer.getvalue()[:2] == b"\x1f\x8b"


@pytest.mark.parametrize("command", ["facts", "check", "fit", "init", "lock"])
@pytest.mark.parametrize(
    "source", ["current.yaml", "risky.yaml", "production", "no-workload.yaml", "chat.service", "mixed"]
)
def test_every_command_says_of_a_bundle_what_it_says_of_the_source(
    askew: Askew, out: str, command: str, source: str
) -> None:
    words = ("-o", "-") if command in ("init", "lock") else ()
    before = askew(command, source, *words)
    askew("bundle", source, "-o", out)
    after = askew(command, f"bundle:{out}", *words)
    assert after.everything.replace(f"bundle:{out}", source) == before.everything


def test_the_manifest_is_of_its_schema(askew: Askew, out: str) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    askew("bundle", "last-good.yaml", "nothing.yaml", "compose.yaml+cmd:vllm serve m", "-o", out)
    with tarfile.open(out) as tar:
        manifest = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
    jsonschema.validate(manifest, bundle_schema())
