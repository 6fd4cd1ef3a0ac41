"""Nothing under inspection is executed, imported or written: watched from inside, with an audit hook."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

WATCHED = """
import json, os, sys
inspected, cache = map(os.path.realpath, sys.argv[1:3])
seen = []
NEVER = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "socket.", "pickle.",
         "ctypes.", "code.__new__", "builtins.input", "urllib.Request", "shutil.", "os.chmod", "os.chown",
         "os.symlink", "os.link", "os.truncate", "os.putenv", "os.kill", "sys.addaudithook", "webbrowser.")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
PLACES = (sys.prefix, sys.base_prefix, os.path.dirname(os.__file__), sys.argv[3])
INSTALLED = tuple({os.path.realpath(place) for place in PLACES})

def inside(path, folder):
    return os.path.realpath(os.fsdecode(path)).startswith(folder + os.sep)

def ours(event, args):
    # The process that renders templates and encodes texts, which has its own tests. It starts none of the files here.
    if event != "subprocess.Popen":
        return False
    script = os.path.join(sys.argv[3], "askew", "collectors", "hf", "sandbox.py")
    return [os.fsdecode(word) for word in args[1]] == [sys.executable, "-I", "-B", script]

def hook(event, args):
    if event.startswith(NEVER) and ours(event, args):
        return
    if event.startswith(NEVER):
        seen.append((event, repr(args)[:200]))
    elif event == "exec":
        name = getattr(args[0], "co_filename", "?")
        # frozen parts of the interpreter, and what collections.namedtuple and msgspec make of our own classes
        if not name.startswith("<") and not os.path.realpath(name).startswith(INSTALLED):
            seen.append((event, name))
    elif event == "compile":
        if isinstance(args[1], str) and not args[1].startswith("<") and inside(args[1], inspected):
            seen.append((event, args[1]))
    elif event == "import":
        if args[1] and inside(args[1], inspected):
            seen.append((event, args[0]))
    elif event == "open":
        path, _, flags = args
        if isinstance(path, (str, bytes)) and flags & WRITES and not inside(path, cache):
            seen.append((event, os.fsdecode(path)))
    elif event in ("os.rename", "os.mkdir", "os.remove"):
        if not inside(args[0], cache) and os.path.realpath(os.fsdecode(args[0])) != cache:
            seen.append((event, repr(args)))

sys.addaudithook(hook)
from askew.app.load import load
from askew.evidence.redaction import Redactor

told = {}
served = [sys.argv[5], f"{sys.argv[5]}+hf:{inspected}"]
for uri in served + [f"hf:{inspected}?digest=full", f"hf:{inspected}?digest=sample", inspected] + [
    f"{scheme}{inspected}/{name}" for name in sorted(os.listdir(inspected)) for scheme in ("", "hf:")
]:
    side = load(uri, "target", Redactor())
    told[uri] = [error.message for error in side.errors]

from askew.app.pipeline import Options, diff

report = diff(f"hf:{inspected}", f"hf:{sys.argv[4]}", Options())
parted = [finding.impact for workload in report.workloads for finding in workload.findings]
loaded = sorted({"pickle", "_pickle", "numpy", "torch", "sklearn", "onnx"} & sys.modules.keys())
print(json.dumps({"seen": seen, "loaded": loaded, "told": told, "parted": parted}))
"""


SERVED = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: t}
data: {t.jinja: "{{ ().__class__.__base__.__subclasses__() }}{{ cycler.__init__.__globals__.os.system('id') }}"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: llm}
spec:
  template:
    spec:
      containers:
        - {name: engine, image: "vllm/vllm-openai:v0.11.0", args: [--chat-template=/t/t.jinja],
           volumeMounts: [{name: t, mountPath: /t}]}
      volumes: [{name: t, configMap: {name: t}}]
"""


class Attack:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


def hostile(folder: Path, mark: Path, merges: tuple[tuple[str, str], ...] = ()) -> None:
    attack = pickle.dumps(Attack(mark))
    code = f"open({str(mark)!r}, 'w')\n"
    folder.mkdir()
    for name in (
        "modeling_evil.py",
        "sitecustomize.py",
        "config.py",
        "conftest.py",
        "__init__.py",
        "msgspec.py",
        "torch.py",
    ):
        (folder / name).write_text(code)
    (folder / "config.json").write_text(
        json.dumps({"model_type": "evil", "architectures": ["Evil"], "auto_map": {"AutoModel": "modeling_evil.Evil"}})
    )
    for name in ("pytorch_model.bin", "model.pkl", "model.joblib", "model.pt"):
        (folder / name).write_bytes(attack)
    with zipfile.ZipFile(folder / "archive.pth", "w") as file:
        file.writestr("a/data.pkl", attack)
        file.writestr("a/code/__torch__.py", code)
        file.writestr("../../escape", "x")
    header = b'{"__metadata__": {"format": "pt"}, "a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}}'
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"abcd")
    (folder / "model.gguf").write_bytes(b"GGUF\3\0\0\0" + bytes(16))
    (folder / "model.onnx").write_bytes(b"\x08\x08\x3a\x02\x12\x00")
    (folder / "saved_model.pb").write_bytes(b"\x12\x02\x0a\x00")
    (folder / "model.bst").write_bytes(b'{"learner": {"feature_names": ["__import__(\'os\')"]}, "version": [1, 0, 0]}')
    (folder / "evil.yaml").write_text(f"!!python/object/apply:os.system ['touch {mark}']\n")
    (folder / "chat_template.jinja").write_text("{{ ().__class__.__base__.__subclasses__() }}")
    (folder / "tokenizer.json").write_text(
        json.dumps({"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": merges}})
    )
    (folder / "loop").symlink_to(folder)


def test_nothing_is_executed_imported_or_written(tmp_path: Path) -> None:
    inspected, cache, mark = tmp_path / "model", tmp_path / "cache", tmp_path / "executed"
    temporary = cache / "tmp"
    temporary.mkdir(parents=True)
    hostile(inspected, mark)
    served = tmp_path / "serve.yaml"
    served.write_text(SERVED)
    hostile(tmp_path / "other", mark, (("a", "b"),))
    script = tmp_path / "watch.py"
    script.write_text(WATCHED)
    package = Path(__file__).resolve().parents[2] / "src"
    environment = {
        **os.environ,
        "PYTHONPATH": str(package),
        "XDG_CACHE_HOME": str(cache),
        "TMPDIR": str(temporary),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    paths = map(str, (script, inspected, cache, package, tmp_path / "other", served))
    done = subprocess.run(
        [sys.executable, "-P", *paths],
        cwd=inspected, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["seen"] == [] and found["loaded"] == []
    assert not mark.exists()
    assert any("Merges only in the target" in impact for impact in found["parted"])
    told = {uri.rpartition("/")[2]: messages for uri, messages in found["told"].items()}
    for name in ("pytorch_model.bin", "model.pkl", "model.joblib", "model.pt", "archive.pth"):
        assert any("posix.system" in message for message in told[name]), (name, told[name])
