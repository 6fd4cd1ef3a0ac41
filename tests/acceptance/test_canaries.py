"""A secret that stands anywhere in a source appears nowhere: not in an output, a bundle, a message or an exception.

Every installed scheme has a case here: one that is added without fails the test. A case plants secrets in each place
that its source has, whole, cut off and broken, and every command is run on it in every format.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import io
import json
import os
import re
import stat
import subprocess
import sys
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import pytest

from askew.app import registry
from askew.app.load import load
from askew.cli.run import run
from askew.evidence.redaction import Redactor
from tests.collectors.k8s import scripted
from tests.serving import Answer, as_json, as_text, serving

Mode = Literal["whole", "cut", "broken"]


class Place:
    """A directory with sources, and the secrets that were planted in them. ``write`` spoils what it writes, where the
    mode says so: half of the file is missing, or its middle is no text of its format."""

    def __init__(self, folder: Path, mode: Mode, stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.mode = mode
        self.stack = stack
        self.monkeypatch = monkeypatch
        self.planted: list[str] = []

    def password(self) -> str:
        """A secret that only the name beside it gives away."""
        self.planted.append(f"Canary{len(self.planted):03d}pw7f3e9a1b5c")
        return self.planted[-1]

    def token(self) -> str:
        """A secret that is one wherever it stands, by the prefix of its issuer."""
        self.planted.append(f"hf_Canary{len(self.planted):03d}Tkn7f3e9a1b5cXyZ")
        return self.planted[-1]

    def spoiled(self, data: bytes) -> bytes:
        if self.mode == "cut":
            return data[: len(data) * 3 // 5]
        if self.mode == "broken":
            middle = data.find(b"\n", len(data) // 2) + 1 or len(data) // 2
            return data[:middle] + b"\t}{ [: ' %\n" + data[middle:]
        return data

    def write(self, name: str, text: str | bytes) -> str:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.spoiled(text.encode() if isinstance(text, str) else text))
        return name

    def program(self, name: str, text: str) -> None:
        """A program on PATH that prints something."""
        folder = self.folder / "bin"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.out").write_bytes(self.spoiled(text.encode()))
        path = folder / name
        body = (
            f"#!{sys.executable}\nimport sys\nsys.stdout.write(open({str(path)!r} + '.out', errors='replace').read())\n"
        )
        if self.mode == "broken":
            body += (
                f"sys.stderr.write('Error: token {self.token()} is bad: password={self.password()}\\n')\nsys.exit(1)\n"
            )
        path.write_text(body)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        self.monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def answers(self, answers: Mapping[str, Answer], other: str = "", status: int = 200) -> str:
        """The URL of a server. ``other`` is what it answers to everything else."""
        spoiled = {name: Answer(a.status, self.spoiled(a.body), a.headers) for name, a in answers.items()}
        missing = (
            Answer(status, self.spoiled(other.encode()), (("Content-Type", "application/json"),)) if other else None
        )
        return self.stack.enter_context(serving(spoiled, missing)).url


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def as_lines(value: object) -> str:
    """JSON over many lines, so that spoiling a line leaves the others whole."""
    return json.dumps(value, indent=1)


def _manifest(p: Place) -> str:
    applied = json.dumps(
        {
            "kind": "Deployment",
            "spec": {"containers": [{"env": [{"name": "DB_PASSWORD", "value": p.password()}], "args": [p.token()]}]},
        }
    )
    secret = json.dumps({"apiVersion": "v1", "kind": "Secret", "data": {"any": _b64(p.password())}})
    script = (
        f"export HF_TOKEN={p.password()}\ncurl -H 'Authorization: Bearer {p.password()}' https://x\n"
        f"exec vllm serve acme/chat --api-key {p.password()} --dtype {{dtype}}\n"
    )
    return f"""\
# the token was {p.token()}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: chat  # see https://user:{p.password()}@wiki/
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: {json.dumps(applied)}
    acme.example/api-token: "{p.password()}"
    note: "rotate {p.token()} soon"
spec:
  selector: {{matchLabels: {{app: chat}}}}
  template:
    metadata: {{labels: {{app: chat}}}}
    spec:
      initContainers:
        - name: fetch
          image: "https://robot:{p.password()}@registry/acme:1"
          command: ["sh", "-c", "wget https://s3/m?X-Amz-Signature={p.password()}&sig={p.password()}"]
      containers:
        - name: engine
          image: vllm/vllm-openai:v0.9.0
          args:
            - --model=https://user:{p.password()}@models/acme
            - --dtype=half
            - --api-key
            - {p.password()}
            - --hf-token={p.password()}
            - --max-model-len=not-a-number
            - '--hf-overrides={{"auth_token": "{p.password()}"}}'
          env:
            - {{name: HF_TOKEN, value: "{p.password()}"}}
            - {{name: AWS_SECRET_ACCESS_KEY, value: "{p.password()}"}}
            - {{name: PLAIN, value: "{p.token()}"}}
            - {{name: HTTPS_PROXY, value: "http://u:{p.password()}@proxy:3128"}}
            - name: MULTI_LINE_PASSWORD
              value: |
                {p.password()}
                {p.password()}
          envFrom: [{{secretRef: {{name: keys}}}}, {{configMapRef: {{name: settings}}}}]
          readinessProbe:
            httpGet: {{path: /, port: 8000, httpHeaders: [{{name: Authorization, value: "Bearer {p.password()}"}}]}}
        - name: script
          image: vllm/vllm-openai:v0.9.0
          command: ["/bin/bash", "-c"]
          args:
            - {json.dumps(script.replace("{dtype}", "half"))}
---
apiVersion: v1
kind: Secret
metadata:
  name: keys
  annotations: {{kubectl.kubernetes.io/last-applied-configuration: {json.dumps(secret)}}}
data: {{HF_TOKEN: {_b64(p.password())}, "tls.key": {_b64(p.password())}}}
stringData: {{OTHER: "{p.password()}", number: 1}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: settings}}
data:
  OPENAI_API_KEY: "{p.password()}"
  VLLM_SERVER: "https://user:{p.password()}@example.com/v1?api_key={p.password()}"
  config.yaml: |
    general_settings:
      master_key: {p.password()}  # was {p.token()}
      api_keys: ["{p.password()}", '{p.password()}', {p.password()}]
      other_api_keys:
      - {p.password()}
      - "{p.password()}"
      signing_key: |-
        {p.password()}
        {p.password()}
      port: 1
      database_url: postgresql://u:{p.password()}@db/x
  app.properties: |
    store.password={p.password()}
"""


def _compose(p: Place) -> str:
    return f"""\
services:
  chat:
    image: vllm/vllm-openai:v0.9.0
    command: --model acme/chat --dtype half --api-key {p.password()} --hf-token {p.password()}
    environment:
      HF_TOKEN: "{p.password()}"   # {p.token()}
      URL: "https://user:{p.password()}@example.com/v1?token={p.password()}"
    env_file: [vars.env]
    labels: {{acme.webhook-token: "{p.password()}"}}
  db: {{image: postgres, environment: [POSTGRES_PASSWORD={p.password()}]}}
secrets: {{a: {{environment: A_TOKEN}}}}
"""


def _files(p: Place) -> list[str]:
    p.write("all/deploy.yaml", _manifest(p))
    p.write("all/compose.yaml", _compose(p))
    p.write("all/vars.env", f"HF_TOKEN={p.password()}\nexport DB_PASS='{p.password()}'\nNOTE={p.token()}\n")
    p.write(
        "all/chat.service",
        f"[Service]\n# {p.token()}\nEnvironment=HF_TOKEN={p.password()} X=https://u:{p.password()}@h\n"
        f'Environment="VLLM_API_KEY={p.password()}"\nExecStart=/usr/bin/vllm serve m --api-key {p.password()}\n',
    )
    p.write(
        "all/chat.container",
        f"[Container]\nImage=vllm/vllm-openai:v0.9.0\nEnvironment=HF_TOKEN={p.password()}\n"
        f"Exec=--api-key {p.password()}\n",
    )
    p.write(
        "all/litellm.yaml",
        f"model_list:\n- model_name: a\n  litellm_params: {{model: openai/a, api_key: {p.password()},"
        f' api_base: "https://k:{p.password()}@h/v1"}}\ngeneral_settings:\n  master_key: {p.password()}\n'
        f"  api_keys: [{p.password()}, {p.password()}]\n",
    )
    p.write(
        "all/config.pbtxt",
        f'name: "m"\nbackend: "python"\nparameters {{ key: "api_key" value {{ string_value: "{p.password()}" }} }}\n'
        f"# {p.token()}\n",
    )
    p.write(
        "all/config.properties", f"inference_address=http://0.0.0.0:8080\nkeystore_pass={p.password()}\n# {p.token()}\n"
    )
    p.write("all/Modelfile", f"FROM llama3\nPARAMETER temperature 1\n# {p.token()}\nSYSTEM key {p.token()}\n")
    p.write(
        "all/modelspec.yaml",
        "apiVersion: piqc.ai/v1alpha1\nkind: ModelSpec\nmetadata: {name: chat}\nspec:\n  runtime: {dtype: float16}\n"
        f"  notes: {p.token()}\n  model: {{source: 'https://u:{p.password()}@h/m', api_token: {p.password()}}}\n",
    )
    notebook = {
        "cells": [
            {"source": [f"login('{p.token()}')", f"API_KEY = '{p.password()}'"], "outputs": [{"text": p.token()}]}
        ]
    }
    p.write("notebook.ipynb", as_lines(notebook))
    p.write("run.sh", f"#!/bin/sh\nexport HF_TOKEN={p.password()}\nvllm serve m --api-key {p.password()}\n")
    p.write("text.txt", f"password: {p.password()}\n{p.token()}\n")
    return ["all", "all/deploy.yaml", "all/modelspec.yaml", "notebook.ipynb", "run.sh", "text.txt", f"{p.token()}.yaml"]


def _command(p: Place) -> list[str]:
    return [
        f"cmd:HF_TOKEN={p.password()} vllm serve https://u:{p.password()}@h/m --api-key {p.password()} "
        f"--hf-token={p.token()}",
        f"cmd:docker run -e HF_TOKEN={p.password()} vllm/vllm-openai:v0.9.0 --model m --dtype 'half",
        f"cmd:sh -c 'curl -H \"Authorization: Bearer {p.password()}\" h; vllm serve m --dtype {p.token()}'",
    ]


def _bundle(p: Place) -> list[str]:
    from askew.app.bundle import Bundling, bundle

    mode, p.mode = p.mode, "whole"
    _files(p)
    out = io.BytesIO()
    bundle(["all", "all/compose.yaml"], out.write, Bundling(now="2026-01-01T00:00:00Z"))
    p.mode = mode
    p.write("b.tgz", out.getvalue())
    return [
        "bundle:b.tgz#1",
        "bundle:b.tgz#2",
        "bundle:b.tgz",
        f"bundle:b.tgz?source={p.token()}",
        f"bundle:{p.token()}",
    ]


def _git(p: Place) -> list[str]:
    _files(p)
    for words in (
        ["init", "-q", "."],
        ["add", "."],
        ["-c", "user.email=a@b", "-c", "user.name=a", "commit", "-qm", "x"],
    ):
        subprocess.run(["git", *words], cwd=p.folder, check=True, capture_output=True)
    remote = f"https://u:{p.password()}@h/r.git"
    subprocess.run(["git", "remote", "add", "origin", remote], cwd=p.folder, check=True)
    return ["git:HEAD:all", "git:HEAD:all/deploy.yaml", f"git:{p.token()}:x", f"git:HEAD:{p.token()}"]


def _helm(p: Place) -> list[str]:
    p.program("helm", _manifest(p))
    p.write("chart/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n")
    p.write("chart/values.yaml", f"apiKey: {p.password()}\nnote: {p.token()}\n")
    p.write("chart/templates/a.yaml", "kind: X\n")
    return [f"helm:chart?set=apiKey={p.password()}", "helm:chart?values=chart/values.yaml", f"helm:chart?x={p.token()}"]


def _kustomize(p: Place) -> list[str]:
    p.program("kustomize", _manifest(p))
    p.program("kubectl", _manifest(p))
    p.write(
        "k/kustomization.yaml", f"secretGenerator: [{{name: a, literals: [password={p.password()}]}}]\n# {p.token()}\n"
    )
    return ["kustomize:k", f"kustomize:{p.token()}"]


def _model(p: Place) -> None:
    p.write(
        "model/config.json",
        as_lines(
            {
                "model_type": "llama", "architectures": ["LlamaForCausalLM"], "max_position_embeddings": 4096,
                "auth_token": p.password(), "_name_or_path": f"https://u:{p.password()}@h/m", "note": p.token(),
                "quantization_config": {"quant_method": "awq", "bits": 4, "api_key": p.password()},
            }
        ),
    )  # fmt: skip
    p.write(
        "model/generation_config.json", json.dumps({"temperature": 1, "access_token": p.password(), "x": p.token()})
    )
    p.write(
        "model/tokenizer_config.json",
        json.dumps({"chat_template": "{{ x }} " + p.token(), "use_auth_token": p.password(), "bos_token": "<s>"}),
    )
    p.write("model/training_args.json", as_lines({"hub_token": p.password(), "learning_rate": 1, "note": p.token()}))
    p.write("model/README.md", f"{p.token()}\n")
    header = as_lines(
        {
            "__metadata__": {"api_key": p.password(), "n": p.token()},
            "a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]},
        }
    )
    p.write("model/model.safetensors", len(header).to_bytes(8, "little") + header.encode() + b"\0")


def _hf(p: Place) -> list[str]:
    _model(p)
    return ["hf:model", "hf:model?digest=full&cache=off", f"hf:{p.token()}", f"hf:model?token={p.token()}"]


def _stores(scheme: str) -> Callable[[Place], list[str]]:
    def case(p: Place) -> list[str]:
        # No library of a store is asked here: what it would say is the place of the secret.
        from askew.collectors.hf import remote

        def fail(url: str) -> remote.Listing:
            raise remote.StoreError(f"403 for {url} with token {p.token()}", f"password={p.password()} is wrong")

        p.monkeypatch.setattr(remote, "listing", fail)
        return [f"{scheme}://key:{p.password()}@bucket/m", f"{scheme}://bucket/m?sig={p.password()}&token={p.token()}"]

    return case


def _training(p: Place) -> None:
    p.write(
        "run/MLmodel",
        "artifact_path: model\nflavors:\n  python_function: {loader_module: mlflow.sklearn, python_version: 3.11.4}\n"
        f"  sklearn: {{sklearn_version: 1.4.2, pickled_model: model.pkl}}\nmetadata: {{api_key: {p.password()}}}\n"
        f"model_uri: https://u:{p.password()}@h/m\n# {p.token()}\n",
    )
    p.write(
        "run/requirements.txt",
        f"--index-url https://u:{p.password()}@host/simple\nscikit-learn==1.4.2\n# {p.token()}\n"
        f"x @ git+https://{p.token()}@github.com/a/b\n",
    )
    p.write(
        "run/conda.yaml", f"channels: [https://conda/t/{p.token()}/a]\ndependencies: [python=3.11, {{pip: [a==1]}}]\n"
    )
    p.write("run/params/db_password", p.password())
    p.write("run/params/learning_rate", "0.1")
    p.write("run/tags/mlflow.source.git.repoURL", f"https://u:{p.password()}@h/r")
    p.write("run/meta.yaml", f"run_id: a\nartifact_uri: https://u:{p.password()}@h/a\nname: {p.token()}\n")
    p.write("run/config.yaml", f"wandb_api_key: {{desc: null, value: {p.password()}}}\nlr: {{desc: null, value: 1}}\n")
    p.write("run/wandb-summary.json", as_lines({"api_key": p.password(), "loss": 1, "n": p.token()}))
    p.write("run/trainer_state.json", as_lines({"global_step": 1, "hub_token": p.password(), "log_history": []}))
    p.write("run/input_example.json", as_lines({"columns": ["password", "n"], "data": [[p.token(), p.token()]]}))


def _mlflow(p: Place) -> list[str]:
    _training(p)
    return ["mlflow:run", "run", f"mlflow:{p.token()}"]


def _trained(p: Place) -> list[str]:
    _training(p)
    _model(p)
    return ["training:run", "training:model", f"training:{p.token()}"]


def _packages(p: Place) -> list[str]:
    p.write(
        "freeze.txt",
        f"vllm==0.9.0\nx @ git+https://u:{p.password()}@github.com/a/b@abc\n-e git+https://{p.token()}@h/c#egg=c\n"
        f"--extra-index-url https://__token__:{p.password()}@pypi/simple\n# {p.token()}\n",
    )
    p.write(
        "pip.json", json.dumps([{"name": "vllm", "version": "0.9.0", "direct_url": f"https://u:{p.password()}@h/x"}])
    )
    return ["packages:freeze.txt", "packages:pip.json", f"packages:{p.token()}"]


def _sbom(p: Place) -> list[str]:
    made = {
        "bomFormat": "CycloneDX", "specVersion": "1.5",
        "metadata": {"properties": [{"name": "registry.password", "value": p.password()}]},
        "components": [
            {
                "type": "library", "name": "vllm", "version": "0.9.0", "purl": "pkg:pypi/vllm@0.9.0",
                "externalReferences": [{"type": "vcs", "url": f"https://u:{p.password()}@h/r"}],
                "properties": [{"name": "env:HF_TOKEN", "value": p.token()}],
            }
        ],
    }  # fmt: skip
    p.write("bom.json", as_lines(made))
    spdx = {
        "spdxVersion": "SPDX-2.3", "name": p.token(), "packages": [
            {"name": "vllm", "versionInfo": "0.9.0", "downloadLocation": f"git+https://u:{p.password()}@h/r"}
        ],
    }  # fmt: skip
    p.write("spdx.json", as_lines(spdx))
    return ["sbom:bom.json", "sbom:spdx.json", f"sbom:{p.token()}"]


SMI = """\
+-----------------------------------------------------------------------------------------+
| NVIDIA-SMI 550.54.15              Driver Version: 550.54.15      CUDA Version: 12.4     |
|-----------------------------------------+------------------------+----------------------+
| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |
|   0  NVIDIA H100 80GB HBM3          On  | 00000000:18:00.0   Off |                    0 |
| N/A   34C    P0              72W / 700W |       0MiB / 81559MiB  |      0%      Default |
| Processes:                                                                              |
|    0   N/A  N/A      1234      C   python -m vllm --api-key {key} --hf-token {token} |
+-----------------------------------------------------------------------------------------+
"""


def _smi(scheme: str) -> Callable[[Place], list[str]]:
    def case(p: Place) -> list[str]:
        text = SMI.format(key=p.password(), token=p.token())
        p.write("smi.txt", text)
        p.write("smi.csv", f"index, name, driver_version\n0, NVIDIA H100, 550 HF_TOKEN={p.password()}\n")
        p.write("smi.json", as_lines({"card0": {"api_key": p.password(), "Card Series": "MI300X", "n": p.token()}}))
        p.write(
            "smi.xml",
            "<?xml version='1.0'?>\n<nvidia_smi_log><driver_version>550</driver_version>\n<gpu id='0'>\n"
            "<product_name>NVIDIA H100</product_name>\n<processes><process_info>\n"
            f"<process_name>x --api-key {p.password()} {p.token()}</process_name>\n"
            "</process_info></processes></gpu></nvidia_smi_log>\n",
        )
        p.program(scheme, text)
        forms = ("smi.txt", "smi.csv", "smi.json", "smi.xml", "", p.token())
        # One collector reads what each tool prints, whatever the tool is called.
        return [f"{scheme}:{name}" for name in (forms if scheme == "nvidia-smi" else ("smi.txt", ""))]

    return case


def _http(p: Place) -> list[str]:
    models = {"object": "list", "data": [{"id": "m", "owned_by": "vllm", "root": "https://u:" + p.password() + "@h/m"}]}
    server_info = {
        "vllm_config": f"model='m', hf_token='{p.password()}', api_key=['{p.password()}'], dtype=torch.bfloat16",
        "vllm_env": {"HF_TOKEN": p.password(), "VLLM_API_KEY": p.password()}, "hf_token": p.password(),
        "system_env": {"note": p.token(), "api_keys": [p.password(), p.password()]},
        "args": f"{{'api_key': ['{p.password()}', '{p.password()}'], \"api_keys\": [\"{p.password()}\"]}}",
    }  # fmt: skip
    sglang = {
        "model_path": "m",
        "api_key": p.password(),
        "admin_api_key": p.password(),
        "version": "0.5.5",
        "n": p.token(),
    }
    metrics = (
        f"# HELP vllm:x {p.token()}\n# TYPE vllm:num_requests_running gauge\n"
        f'vllm:num_requests_running{{model_name="m",api_key="{p.password()}"}} 1.0\n'
        f'vllm:cache_config_info{{hf_token="{p.password()}",block_size="16"}} 1.0\n'
    )
    url = p.answers(
        {
            "/v1/models": as_json(models), "/version": as_json({"version": "0.9.0", "token": p.password()}),
            "/server_info": as_json(server_info), "/server_info?config_format=json": as_json(server_info),
            "/get_server_info": as_json(sglang), "/metrics": as_text(metrics), "/health": as_text(p.token()),
            "/info": as_json({"model_id": "m", "auth_token": p.password()}),
            "/openapi.json": as_json({"info": {"description": p.token()}}),
            "/props": as_json({"api_key": p.password(), "model_path": f"/m?token={p.password()}"}),
            "/v2": as_json({"name": "triton", "extensions": [p.token()]}),
        }
    )  # fmt: skip
    refusing = p.answers(
        {"/v1/models": as_json({"error": f"the key {p.password()} api_key={p.password()} is wrong"}, 401)}
    )
    p.monkeypatch.setenv("ASKEW_API_KEY", p.password())
    with_user = url.replace("http://", f"http://user:{p.password()}@")
    return [
        url,
        with_user,
        f"{url}?api_key={p.password()}",
        refusing,
        "http://127.0.0.1:9",
        f"http://u:{p.password()}@[",
    ]


def _https(p: Place) -> list[str]:
    url = p.answers({}).replace("http://", "https://")  # which speaks no TLS
    return [url, url.replace("https://", f"https://user:{p.password()}@"), f"https://127.0.0.1:9/?token={p.password()}"]


def _cluster(p: Place) -> tuple[scripted.Cluster, str]:
    import yaml

    objects = scripted.rollout("--api-key", p.password(), now=("--hf-token", p.password(), "--dtype=half"))
    objects += list(yaml.safe_load_all(_manifest(p)))
    for one in objects:
        one["metadata"].setdefault("namespace", "prod")
        one["metadata"].setdefault("uid", f"uid-{one['metadata']['name']}-{one['kind']}")
    pod = next(one for one in objects if one["kind"] == "Pod")
    pod["spec"]["containers"][0]["env"] = [{"name": "HF_TOKEN", "value": p.password()}]
    state = {
        "waiting": {"reason": "CrashLoopBackOff", "message": f"login with token {p.token()} password={p.password()}"}
    }
    pod["status"]["containerStatuses"][0]["state"] = state
    objects.append(
        {
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "prod", "uid": "e"},
            "involvedObject": {"kind": "Pod", "name": pod["metadata"]["name"], "namespace": "prod"}, "type": "Warning",
            "reason": "Failed", "message": f"pull https://u:{p.password()}@h with {p.token()}",
            "lastTimestamp": "2026-01-01T00:00:00Z", "count": 1,
        }
    )  # fmt: skip
    cluster = p.stack.enter_context(scripted.Cluster(*objects))
    cluster.token = p.password()
    if p.mode != "whole":
        serve = cluster.serve

        def spoiled(path: str, query: dict[str, str]) -> scripted.Answer:
            code, headers, body = serve(path, query)
            return code, headers, p.spoiled(body) if path != "/apis" else body

        cluster.answer = spoiled
    return cluster, cluster.token


def _k8s(p: Place) -> list[str]:
    cluster, token = _cluster(p)
    user = {"token": token, "password": p.password(), "client-key-data": _b64(p.password())}
    scripted.kubeconfig(p.folder / "config", cluster.url, user=user)
    p.monkeypatch.setenv("KUBECONFIG", str(p.folder / "config"))
    refused = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1", "command": "login", "interactiveMode": "Never",
            "env": [{"name": "A_TOKEN", "value": p.password()}], "args": ["--token", p.password()],
        }
    }  # fmt: skip
    mode, p.mode = p.mode, "broken"
    p.program("login", p.token())
    p.mode = mode
    import yaml

    config = yaml.safe_load((p.folder / "config").read_text())
    config["users"].append({"name": "refused", "user": refused})
    config["contexts"].append({"name": "refused", "context": {"cluster": "c", "user": "refused", "namespace": "prod"}})
    config["users"].append({"name": "wrong", "user": {"token": p.password()}})
    config["contexts"].append({"name": "wrong", "context": {"cluster": "c", "user": "wrong", "namespace": "prod"}})
    (p.folder / "config").write_text(yaml.safe_dump(config))
    return [
        "k8s:prod", "k8s:prod/deployment/llm", "k8s:prod/deployment/llm@previous", "k8s:prod/deployment/chat@applied",
        "k8s:prod?logs=on&endpoints=on", f"k8s:prod/deployment/{p.token()}", f"k8s:prod?token={p.password()}",
        "k8s://refused/prod", "k8s://wrong/prod",
    ]  # fmt: skip


def _dry_run(p: Place) -> list[str]:
    cluster, token = _cluster(p)
    secret, said = p.password(), f"no: {p.token()} password={p.password()}"

    def admit(made: dict[str, Any]) -> None:
        spec = made["spec"].get("template", made)["spec"]
        spec["containers"][0].setdefault("env", []).append({"name": "HF_TOKEN", "value": secret})
        made["metadata"].setdefault("annotations", {})["acme.example/api-token"] = secret

    cluster.admit = admit
    create = cluster.create

    def spoiled(path: str, query: dict[str, str]) -> scripted.Answer:
        if "/namespaces/refused/" in path:
            return scripted.status(422, "Invalid", said)
        code, headers, body = create(path, query)
        return code, headers, p.spoiled(body)

    cluster.answer = lambda path, query: None
    cluster.create = spoiled  # type: ignore[method-assign]
    scripted.kubeconfig(p.folder / "config", cluster.url, user={"token": token})
    p.monkeypatch.setenv("KUBECONFIG", str(p.folder / "config"))
    p.write("deploy.yaml", _manifest(p))
    return [
        "dry-run:deploy.yaml",
        "dry-run:deploy.yaml?namespace=refused",
        f"dry-run://{p.token()}/deploy.yaml",
        f"dry-run:deploy.yaml?token={p.password()}",
        f"dry-run:{p.token()}",
    ]


def _log(p: Place) -> list[str]:
    p.write(
        "start.log",
        f"INFO 01-01 00:00:00 [api_server.py:1] vLLM API server version 0.9.0\n"
        f"INFO 01-01 00:00:00 [api_server.py:2] args: Namespace(model='m', api_key=['{p.password()}'], hf_token="
        f"'{p.password()}', dtype='half')\n"
        f"INFO 01-01 00:00:00 [utils.py:1] non-default args: {{'model': 'm', 'api_key': ['{p.password()}']}}\n"
        f"WARNING token {p.token()} Authorization: Bearer {p.password()} https://u:{p.password()}@h\n"
        f"HF_TOKEN={p.password()}\nINFO: GET /v1?api_key={p.password()} 200\n"
        f"Traceback: password='{p.password()}'\n",
    )
    p.write("start.log.gz", gzip.compress((p.folder / "start.log").read_bytes()))
    return ["log:start.log", "log:start.log.gz", f"log:{p.token()}"]


def _metrics(p: Place) -> list[str]:
    for name in ("a.txt", "b.txt"):
        p.write(
            name,
            f"# HELP vllm:x {p.token()}\n# TYPE vllm:num_requests_running gauge\n"
            f'vllm:num_requests_running{{model_name="m",api_key="{p.password()}"}} 1.0\n'
            f'vllm:num_requests_waiting{{model_name="m",url="https://u:{p.password()}@h"}} 1.0\n'
            f'vllm:cache_config_info{{hf_token="{p.password()}",block_size="16"}} 1.0\n',
        )
    return ["metrics:a.txt", "metrics:a.txt,b.txt?window=90s", f"metrics:{p.token()}", f"metrics:a.txt?at={p.token()}"]


def _docker(p: Place) -> list[str]:
    from tests.platforms.docker import inspected

    container = inspected.container()
    config = container["Config"]
    config["Env"] = [f"HF_TOKEN={p.password()}", f"X=https://u:{p.password()}@h", f"NOTE={p.token()}"]
    config["Cmd"] = ["--model", "m", "--api-key", p.password(), f"--hf-token={p.password()}"]
    config["Labels"] = {"acme.api-token": p.password(), "note": p.token()}
    container["Args"] = ["--api-key", p.password()]
    container["State"]["Error"] = f"login failed: password={p.password()} {p.token()}"
    p.program("docker", as_lines([container]))
    p.write("inspect.json", as_lines([container]))
    p.monkeypatch.setenv("DOCKER_HOST", f"unix://{p.folder}/none.sock")  # no daemon of this machine
    return ["docker:llm", "inspect.json", f"docker:{p.token()}", "docker:"]


def _process(p: Place) -> list[str]:
    from askew.collectors.process import collect

    proc = p.folder / "proc"
    (proc / "self").mkdir(parents=True)
    (p.folder / "work").mkdir()
    words = ("vllm", "serve", "m", "--api-key", p.password(), f"--hf-token={p.password()}", "--config", "settings.yaml")
    environ = (f"HF_TOKEN={p.password()}", f"VLLM_X=https://u:{p.password()}@h", f"VLLM_API_KEY={p.password()}")
    p.write("work/settings.yaml", f"api-key: {p.password()}\nmax-model-len: 4096\n# {p.token()}\n")
    path = proc / "77"
    path.mkdir()
    (path / "cmdline").write_bytes(p.spoiled("".join(f"{word}\0" for word in words).encode()))
    (path / "stat").write_text("77 (a) b) S 1 1 1 0 -1")
    (path / "environ").write_bytes(p.spoiled("".join(f"{one}\0" for one in environ).encode()))
    (path / "cgroup").write_text(f"0::/{p.token()}\n")
    (path / "cwd").symlink_to(p.folder / "work")
    (path / "root").symlink_to("/")
    p.monkeypatch.setattr(collect, "PROC", str(proc))
    return ["pid:77", f"pid:{p.token()}", "pid:78"]


def _prometheus(p: Place) -> list[str]:
    labels = {
        "__name__": "vllm:num_requests_running",
        "pod": "a",
        "api_key": p.password(),
        "url": f"http://u:{p.password()}@h",
    }
    told = {"status": "success", "warnings": [f"token {p.token()}"], "data": {"resultType": "matrix", "result": [
        {"metric": labels, "values": [[1795000000, "1"], [1795000060, "2"]]}]}}  # fmt: skip
    wrong = {"status": "error", "errorType": "bad_data", "error": f"password={p.password()} is wrong for {p.token()}"}
    p.monkeypatch.setenv("ASKEW_PROMETHEUS_TOKEN", p.password())
    right = p.answers({}, as_lines(told))
    refusing = p.answers({}, as_lines(wrong), 422)
    with_user = right.replace("http://", f"http://user:{p.password()}@")
    return [
        f"prometheus:{right}?namespace=prod", f"prometheus:{refusing}?namespace=prod", f"prometheus:{with_user}?job=a",
        f"prometheus:{right}?token={p.password()}", f"prometheus:{p.token()}", "prometheus:http://127.0.0.1:9",
    ]  # fmt: skip


def _helm_release(p: Place) -> list[str]:
    made = {
        "name": "llm", "version": 3, "namespace": "prod", "manifest": _manifest(p), "config": {"apiKey": p.password()},
        "info": {"status": "deployed", "notes": f"log in with {p.token()}"},
    }  # fmt: skip
    packed = _b64(base64.b64encode(gzip.compress(p.spoiled(json.dumps(made).encode()))).decode())
    labels = {"owner": "helm", "name": "llm", "version": "3", "status": "deployed"}
    metadata = {"name": "sh.helm.release.v1.llm.v3", "namespace": "prod", "labels": labels}
    cluster = p.stack.enter_context(scripted.Cluster())
    cluster.token = p.password()
    told = p.token()

    def answer(path: str, query: dict[str, str]) -> scripted.Answer | None:
        if path.endswith("/secrets"):
            return 200, {"Content-Type": "application/json"}, json.dumps({"items": [{"metadata": metadata}]}).encode()
        if path.endswith("/sh.helm.release.v1.llm.v3"):
            whole = {"metadata": metadata, "data": {"release": packed}}
            return 200, {"Content-Type": "application/json"}, json.dumps(whole).encode()
        if "broken" in path:
            return scripted.status(500, "InternalError", f"token={p.planted[0]} {told} is wrong")
        return None

    cluster.answer = answer
    scripted.kubeconfig(p.folder / "config", cluster.url, user={"token": cluster.token})
    p.monkeypatch.setenv("KUBECONFIG", str(p.folder / "config"))
    return [
        "helm-release:prod/llm",
        "helm-release:prod/llm@3",
        "helm-release:broken/llm@1",
        f"helm-release:{p.token()}",
    ]


SMI_TOOLS = ("nvidia-smi", "amd-smi", "hl-smi", "neuron-ls", "npu-smi", "nvml", "rocm-smi", "tpu-info", "xpu-smi")
CASES: Mapping[str, Callable[[Place], list[str]]] = {
    "": _files,
    "file": lambda p: [f"file:{uri}" for uri in _files(p)],
    "cmd": _command,
    "bundle": _bundle,
    "git": _git,
    "helm": _helm,
    "kustomize": _kustomize,
    "hf": _hf,
    **{scheme: _stores(scheme) for scheme in ("s3", "gs", "az", "abfs")},
    "mlflow": _mlflow,
    "training": _trained,
    "packages": _packages,
    "sbom": _sbom,
    **{scheme: _smi(scheme) for scheme in SMI_TOOLS},
    "http": _http,
    "https": _https,
    "k8s": _k8s,
    "dry-run": _dry_run,
    "log": _log,
    "metrics": _metrics,
    "docker": _docker,
    "pid": _process,
    "prometheus": _prometheus,
    "helm-release": _helm_release,
}


def forms(secret: str) -> Iterator[str]:
    """A secret as it may be written: plain, encoded, reversed by nobody."""
    yield secret
    yield _b64(secret)
    yield _b64(secret).rstrip("=")
    yield secret.encode().hex()
    yield urllib.parse.quote(secret, safe="")
    yield _b64(_b64(secret))


def assert_none_of(planted: list[str], text: str, where: str) -> None:
    if "anary" not in text and not re.search("Q2FuYX|NhbmFy|YW5hcn|616e617279", text):  # cheap: no form of any
        return
    for secret in planted:
        for form in forms(secret):
            at = text.find(form)
            assert at < 0, f"{where}: …{text[max(at - 120, 0) : at + len(form) + 20]}…"


def commands(uri: str, out: Path, *, all_of_them: bool) -> Iterator[tuple[str, ...]]:
    yield "bundle", uri, "-o", str(out / "plain.tgz"), "--force"
    yield "bundle", uri, "-o", str(out / "anonymous.tgz"), "--force", "--anonymise"
    yield "check", uri, "-v", "--fail-on", "info"
    yield "facts", uri, "--format", "json"
    if not all_of_them:
        return
    yield "facts", uri
    for form in ("json", "sarif", "markdown", "github", "junit"):
        yield "check", uri, "--format", form, "-v", "--fail-on", "info"
    yield "diff", uri, "cmd:vllm serve other --dtype float16", "--format", "json", "--checks"
    yield "diff", "cmd:vllm serve other --dtype float16", uri, "-v"
    yield "diff", uri, uri, "--format", "json"
    yield "check", uri, "--against", "cmd:vllm serve other --dtype float16"
    yield "fit", uri
    yield "init", uri, "-o", "-"
    yield "lock", uri, "-o", "-"
    yield "defaults", "vllm", "0.8.5", "0.9.0", "--flags", uri


@pytest.mark.parametrize("scheme", ["", *registry.schemes()])
def test_every_scheme_has_a_case(scheme: str) -> None:
    assert scheme in CASES, f"a collector answers {scheme}: plant secrets in each place that its source has"


@pytest.mark.parametrize("mode", ["whole", "cut", "broken"])
@pytest.mark.parametrize("scheme", CASES)
def test_no_planted_secret_is_told(
    scheme: str, mode: Mode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if scheme not in ("", *registry.schemes()):
        pytest.skip(f"no collector for {scheme}: is installed")
    folder, out = tmp_path / "place", tmp_path / "out"
    folder.mkdir()
    out.mkdir()
    monkeypatch.chdir(folder)
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    for name in ("KUBECONFIG", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ASKEW_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    with ExitStack() as stack:
        place = Place(folder, mode, stack, monkeypatch)
        uris = CASES[scheme](place)
        assert place.planted
        assert uris
        for number, uri in enumerate(uris):
            for words in commands(uri, out, all_of_them=mode == "whole" and number < 2 and scheme not in SMI_TOOLS[1:]):
                ended: object = None
                with contextlib.suppress(SystemExit):
                    ended = run(list(words))
                said = capsys.readouterr()
                where = f"askew {' '.join(words)}"
                assert_none_of(place.planted, said.out, where)
                assert_none_of(place.planted, said.err, where)
                assert ended != 4, f"{where}: {said.err}"
                if words[0] == "bundle":
                    written = Path(words[3])
                    if written.exists():
                        assert_none_of(place.planted, gzip.decompress(written.read_bytes()).decode("latin-1"), where)
                        written.unlink()
            # What a traceback or a debugger of somebody's own would show.
            side = load(uri, "target", Redactor())
            assert_none_of(place.planted, repr(side), f"repr of {uri}")
            for document in side.documents:
                assert_none_of(place.planted, "\n".join(document.lines), f"lines of {uri}")


def test_the_test_can_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A redactor that lets one kind of secret through is found."""
    monkeypatch.chdir(tmp_path)
    with ExitStack() as stack:
        place = Place(tmp_path, "whole", stack, monkeypatch)
        place.write("a.yaml", f"kind: Pod\nmetadata: {{name: a}}\nnote: {place.token()}\n")
        monkeypatch.setattr(Redactor, "text", lambda self, text: text)
        side = load("a.yaml", "target", Redactor())
        with pytest.raises(AssertionError, match="hf_Canary"):
            assert_none_of(place.planted, "\n".join(side.documents[0].lines), "lines")
