"""How fast documents with places are read, against PyYAML's C loader and bare JSON on the same bytes in the same run.

    python benchmarks/yaml_parse.py [documents]

Prints CPU rates (best of five), their ratio to ``yaml.CSafeLoader``, which keeps no places, and what importing costs.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable

import yaml

from askew.evidence.yaml import read


def deployment(number: int) -> dict[str, object]:
    """One Deployment of three containers, some 3 KB."""
    containers = [
        {
            "name": f"server-{index}",
            "image": f"registry.example.com/team/vllm-openai:v0.8.{number % 9}",
            "args": ["--model", "org/name", "--dtype", "bfloat16", "--max-model-len", "8192"],
            "env": [{"name": f"VARIABLE_{key}", "value": str(key * number)} for key in range(12)],
            "resources": {"limits": {"nvidia.com/gpu": 2, "memory": "64Gi"}},
            "readinessProbe": {
                "httpGet": {"path": "/health", "port": 8000},
                "periodSeconds": 10,
                "failureThreshold": 30,
            },
        }
        for index in range(3)
    ]
    labels = {"app": f"llm-{number}", "tier": "gpu"}
    pod = {"containers": containers, "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"llm-{number}", "namespace": "prod", "labels": labels},
        "spec": {"replicas": number % 4, "template": {"metadata": {"labels": labels}, "spec": pod}},
    }


def cpu_seconds(work: Callable[[], object]) -> float:
    """The least CPU time of five runs."""
    best = float("inf")
    for _ in range(5):
        gc.collect()
        begin = time.process_time()
        work()
        best = min(best, time.process_time() - begin)
    return best


def drain(stream: Iterable[object]) -> int:
    """Read a whole iterator without keeping it."""
    return sum(1 for _ in stream)


def locate_all(text: str) -> int:
    """Read, then ask every node for its place, as a reader of the whole document would."""
    count = 0
    for document in read(text, "f"):
        stack = [document.root]
        while stack:
            node = stack.pop()
            count += 1 if node.location.line else 0
            stack.extend(child for _, child in node.items())
            stack.extend(node.each())
    return count


def start_seconds(code: str) -> float:
    """The least wall time of fifteen fresh interpreters that run ``code``."""
    best = float("inf")
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": os.path.join(tempfile.gettempdir(), "askew-benchmark")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package has its bytecode
    for _ in range(15):
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, env=environment)
        best = min(best, time.perf_counter() - begin)
    return best


def main() -> None:
    """Print the tables."""
    objects = [deployment(number) for number in range(int(sys.argv[1]) if len(sys.argv) > 1 else 400)]
    as_yaml = "---\n".join(yaml.dump(each, Dumper=yaml.CSafeDumper, sort_keys=False) for each in objects)
    as_json = "\n".join(json.dumps(each) for each in objects)
    indented = "\n".join(json.dumps(each, indent=2) for each in objects)
    lines = as_json.split("\n")

    def events() -> None:
        from yaml._yaml import CParser

        parser = CParser(as_yaml)
        while parser.get_event() is not None:
            pass

    print(f"{len(objects)} documents: {len(as_yaml) / 1e6:.2f} MB of YAML, {len(as_json) / 1e6:.2f} MB of JSON")
    print(f"{'':44}{'MB/s':>8}{'ratio':>8}")

    def load_yaml() -> None:
        drain(yaml.load_all(as_yaml, Loader=yaml.CSafeLoader))

    def load_json() -> None:
        for line in lines:
            yaml.load(line, Loader=yaml.CSafeLoader)

    rows: list[tuple[str, int, Callable[[], object]]] = [
        ("YAML, yaml.CSafeLoader, no places", len(as_yaml), load_yaml),
        ("YAML, libyaml's events alone (the ceiling)", len(as_yaml), events),
        ("YAML, ours", len(as_yaml), lambda: drain(read(as_yaml, "f"))),
        ("YAML, ours, and every place asked for", len(as_yaml), lambda: locate_all(as_yaml)),
        ("JSON in lines, ours", len(as_json), lambda: drain(read(as_json, "f"))),
        ("JSON indented, ours", len(indented), lambda: drain(read(indented, "f"))),
        ("JSON in lines, yaml.CSafeLoader", len(as_json), load_json),
        ("JSON in lines, json.loads, no places", len(as_json), lambda: [json.loads(line) for line in lines]),
    ]  # fmt: skip
    reference = 0.0
    for name, size, work in rows:
        rate = size / 1e6 / cpu_seconds(work)
        reference = reference or rate
        print(f"{name:44}{rate:8.2f}{rate / reference:8.2f}")
    bare = start_seconds("import askew.evidence.location")
    print("\nimport, over msgspec and askew.evidence.location (ms)")
    for name, code in (
        ("askew.evidence.yaml", "import askew.evidence.yaml"),
        ("and one JSON document", "from askew.evidence.yaml import read; read('{}', 'f').documents"),
        ("and one YAML document (imports yaml)", "from askew.evidence.yaml import read; read('a: 1', 'f').documents"),
    ):
        print(f"{name:44}{(start_seconds(code) - bare) * 1e3:8.1f}")


if __name__ == "__main__":
    main()
