"""The arguments of every command, with help that teaches by example."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from typing import NoReturn

from askew.facts.types import SEVERITIES

FORMATS = ("text", "json", "sarif", "markdown", "github", "junit")

_EXIT = """\
Exit status: 0 aligned, 1 findings at or above --fail-on, 2 bad usage or unreadable input,
3 evidence incomplete (--strict), 4 internal error."""

_SOURCES = """\
Sources, as wanted: a file, a directory, '-' (stdin), git:REV:PATH, helm:CHART?values=FILE, kustomize:DIR,
cmd:'vllm serve …', or dry-run:PATH (as the cluster would store it; it stores nothing); as it runs:
k8s:NAMESPACE[/KIND/NAME[@previous]], helm-release:NAMESPACE/NAME, http://HOST:PORT, docker:NAME, pid:N,
prometheus:http://HOST:9090?job=…, or pasted: log:FILE, metrics:FILE, nvidia-smi:FILE; the model: hf:MODEL_DIR,
s3://…, mlflow:DIR, training:PATH, packages:FILE, sbom:FILE; bundle:FILE (evidence captured earlier); a ModelSpec
or askew.lock. 'a+b' joins sources that describe one workload."""


class _Parser(argparse.ArgumentParser):
    """argparse repeats unknown words in its errors; a word may hold a secret."""

    def error(self, message: str) -> NoReturn:
        from askew.evidence.redaction import Redactor, shown

        super().error(shown(Redactor().text(message)))


def parser(only: str = "", width: int = 100) -> argparse.ArgumentParser:
    """The whole command line; with the name of a command in ``only`` just that one, as building all costs cold start.

    ``width`` is what help is wrapped to, in columns.
    """
    # kubectl starts the file that it found on PATH and sets no variable (kubectl's pkg/cmd/plugin.go).
    name = "kubectl askew" if os.path.basename(sys.argv[0]).startswith("kubectl-askew") else "askew"

    # Without a width, argparse asks for the terminal's for every argument, through shutil.
    def formatter(prog: str) -> argparse.HelpFormatter:
        return argparse.RawDescriptionHelpFormatter(prog, width=width - 2)

    top = _Parser(
        prog=name,
        description="Find training-serving configuration skew, and show the difference that proves it.",
        epilog=f"""\
examples:
  {name} diff last-good.yaml current.yaml          what really changed, each with its line
  {name} diff k8s:prod/deployment/llm@previous k8s:prod/deployment/llm      and in the cluster
  {name} check deploy.yaml                         checks, and the contract or lock in this directory
  {name} facts deploy.yaml                         what is known, how it is known, what cannot be known
  {name} init deploy.yaml                          write the intent down: modelspec.yaml
  {name} demo                                      a bundled incident, end to end

{_EXIT}""",
        formatter_class=formatter,
    )
    top.add_argument("-V", "--version", action="store_true", help="print the version and exit")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", title="commands", prog=name)
    for command, (brief, build) in COMMANDS.items():
        if only in (command, ""):
            inner = commands.add_parser(
                command, help=brief, description=brief[0].upper() + brief[1:] + ".", formatter_class=formatter
            )
            build(inner, name)
    return top


def _diff(command: argparse.ArgumentParser, name: str) -> None:
    command.epilog = f"""\
examples:
  {name} diff last-good.yaml current.yaml
  {name} diff git:HEAD~1:deploy.yaml deploy.yaml
  {name} diff k8s:prod/deployment/llm@previous k8s:prod/deployment/llm
  {name} diff deploy.yaml+log:staging.log deploy.yaml+log:prod.log
  {name} diff staging/ production/ --map llm-staging=llm
  {name} diff deploy.yaml 'cmd:vllm serve Qwen/Qwen3-8B --max-model-len 8192'
  {name} diff a.yaml b.yaml --format json | jq .workloads

{_SOURCES}

{_EXIT}"""
    command.add_argument("reference", metavar="REFERENCE", help="what was good or intended")
    command.add_argument("target", metavar="TARGET", help="what is there now")
    command.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="A=B",
        help="compare workload A of the reference with B of the target (repeatable)",
    )
    command.add_argument(
        "--checks", action="store_true", help="add the checks that fail in the target and did not in the reference"
    )
    _judging(command)


def _check(command: argparse.ArgumentParser, name: str) -> None:
    command.epilog = f"""\
examples:
  {name} check deploy.yaml
  {name} check manifests/ --fail-on high
  {name} check deploy.yaml --against modelspec.yaml
  {name} check k8s:prod --logs --endpoints
  {name} check deploy.yaml --format sarif > askew.sarif

Without --against, modelspec.yaml, *.modelspec.yaml and askew.lock of the working directory are used,
and named on stderr.

{_SOURCES}

{_EXIT}"""
    command.add_argument("target", metavar="TARGET", help="what to check")
    command.add_argument(
        "--against", metavar="SOURCE", help="a contract, a lock, or any source that says what was intended"
    )
    command.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="A=B",
        help="compare A of --against with workload B of the target (repeatable)",
    )
    _judging(command)


def _facts(command: argparse.ArgumentParser, name: str) -> None:
    command.epilog = f"""\
examples:
  {name} facts deploy.yaml
  {name} facts deploy.yaml --only runtime --format json
  {name} facts http://localhost:8000

{_SOURCES}"""
    command.add_argument("source", metavar="SOURCE")
    _selecting(command)
    command.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    command.add_argument("-o", "--output", metavar="FILE", help="write there instead of stdout")


def _init(command: argparse.ArgumentParser, name: str) -> None:
    command.epilog = f"""\
examples:
  {name} init deploy.yaml                  writes modelspec.yaml
  {name} init deploy.yaml -o -             to stdout

{_SOURCES}"""
    command.add_argument("source", metavar="SOURCE")
    command.add_argument("--workload", metavar="NAME", help="which workload, where the source has several")
    _writing(command, "modelspec.yaml")


def _lock(command: argparse.ArgumentParser, name: str) -> None:
    command.epilog = f"""\
examples:
  {name} lock manifests/                   writes askew.lock
  {name} check manifests/                  later: is it still that?

{_SOURCES}"""
    command.add_argument("source", metavar="SOURCE")
    _writing(command, "askew.lock")


def _bundle(command: argparse.ArgumentParser, name: str) -> None:
    command.epilog = f"""\
examples:
  {name} bundle deploy.yaml                                writes askew-bundle.tar.gz
  {name} bundle last-good.yaml current.yaml -o incident.tar.gz
  {name} diff bundle:incident.tar.gz#1 bundle:incident.tar.gz#2
  {name} bundle manifests/ --anonymise -o - | ssh analyst {name} check bundle:-

A bundle is a .tar.gz of plain files: the evidence without secrets, how each collection ended, a timeline, and a
manifest with the hash of every file. bundle:FILE gives the same report as the sources gave. Equal secrets have equal
marks in one bundle; the key that makes them is random and is not kept. Ctrl-C ends the collection, and what was read
until then is written.

--anonymise keeps the words that Askew knows (engines, flags, values, public models, GPUs, clouds, fields of
Kubernetes), numbers, times, lengths and lines, so that the findings stay the same. Every other word gets another
name, the same wherever it stands: namespaces, objects, hosts, registries, repositories, paths, people, labels. IP
addresses, account numbers, hashes and certificates get others, too. Look at the bundle before you send it.

The exit status is 0, 2 when something could not be read (the rest is in the bundle), 130 after Ctrl-C.

{_SOURCES}"""
    command.add_argument("sources", metavar="SOURCE", nargs="+", help="what to collect, each a source of its own")
    command.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        default="askew-bundle.tar.gz",
        help="default: askew-bundle.tar.gz; '-' for stdout",
    )
    command.add_argument("--force", action="store_true", help="overwrite the file")
    command.add_argument(
        "--anonymise",
        action="store_true",
        help="rename every word that Askew does not know, and addresses: what tells whose this is",
    )
    command.add_argument(
        "--rename",
        action="append",
        default=[],
        metavar="WORD",
        help="rename this word, too: a company called Shell or Apple (repeatable; with --anonymise)",
    )
    command.add_argument(
        "--key",
        metavar="FILE",
        help="a file of 16 random bytes or more to hide secrets under, so that several bundles can be compared",
    )
    _collecting(command)


def _golden(command: argparse.ArgumentParser, name: str) -> None:
    command.epilog = f"""\
examples:
  {name} golden record http://127.0.0.1:8000 --inputs prompts.jsonl -o golden.json
  {name} golden verify golden.json http://127.0.0.1:8000
  {name} golden record http://triton:8000 --inputs rows.jsonl --model churn -o golden.json
  {name} golden record http://torch:8080 --inputs rows.jsonl --api torchserve --model churn -o golden.json
  {name} golden verify golden.json --format junit > golden.xml
  {name} diff golden-old.json golden-new.json  which outputs differ, and where they part
  {name} golden verify golden.json -o verified.json
  {name} lock deploy.yaml+golden.json          the lock states model.golden_outputs
  {name} check deploy.yaml+verified.json       later: does it still give them?

Both send inference requests: each input once, and twice to record, to see whether the server agrees with itself. One
JSON value a line: a text; {{"messages": […]}}; {{"input": "…"}}; a request of KServe's v1 or v2, TensorFlow Serving,
TorchServe or MLflow. What an input is for shows by its form or by the engine that answers; --api says it otherwise.
Language models are asked at temperature 0 with a seed; where they tell log probabilities, those count, and texts that
part where two tokens were as likely are tied: no difference, and nothing shown of what follows. The file holds the
inputs and outputs as they are. Credentials as for http: (ASKEW_API_KEY, user:password@, ~/.netrc) are not kept.

An input that fails is left out and said; after three in a row, a refused key or Ctrl-C nothing more is asked, and what
there is is kept. The exit status of record is 0, 2 when an output is missing, 130 after Ctrl-C; that of verify 0 when
all agree, 1 when one differs, 2 for bad usage, 3 when a request failed, 130 after Ctrl-C."""
    command.add_argument("action", choices=("record", "verify"))
    command.add_argument("subject", metavar="URL|FILE", help="the server to record, or the file to verify")
    command.add_argument("url", metavar="URL", nargs="?", default="", help="verify: the server, if it is another one")
    command.add_argument("--inputs", metavar="FILE", help="record: one JSON value a line, or a list")
    command.add_argument(
        "--api",
        default="",
        help="record: chat, completions, embeddings, tei, v1, v2, torchserve or mlflow (default: what the server has)",
    )
    command.add_argument("--model", metavar="NAME", default="", help="which model of the server")
    command.add_argument("--max-tokens", type=int, default=64, metavar="N", help="record: of each answer (default: 64)")
    for tolerance, default, what in (
        ("relative", 1e-4, "numbers: a share of the recorded one"),
        ("absolute", 1e-6, "numbers"),
        ("cosine", 1e-3, "embeddings: 1 - cosine"),
        ("logprob", 0.25, "language models: nats"),
    ):
        command.add_argument(
            f"--{tolerance}", type=float, default=default, metavar="X", help=f"record: {what} (default: {default:g})"
        )
    command.add_argument("--timeout", type=float, default=600.0, metavar="S", help="seconds for all (default: 600)")
    command.add_argument("--format", choices=FORMATS, default="text", help="verify: default: text")
    command.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="record: the file to write, '-' for stdout; verify: also write the result there, as a source",
    )
    command.add_argument("--force", action="store_true", help="overwrite the file")


def _defaults(command: argparse.ArgumentParser, name: str) -> None:
    command.epilog = f"""\
examples:
  {name} defaults vllm 0.7.3 0.8.0                      before an upgrade
  {name} defaults vllm 0.10.2 0.11.0 --flags prod/      only what reaches this deployment
  {name} defaults ollama v0.9.0 v0.11.0 --format json

The exit status is 0 whatever changes, 2 for an engine or a release that this build does not know.

{_SOURCES}"""
    command.add_argument("engine", metavar="ENGINE", help="its id (vllm, sglang, tgi, ollama, triton …)")
    command.add_argument("old", metavar="OLD", help="the release that runs, with or without v")
    command.add_argument("new", metavar="NEW", help="the release to go to")
    command.add_argument(
        "--flags",
        metavar="SOURCE",
        help="only what this deployment is exposed to: what it leaves to the engine, gives or queries",
    )
    command.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    command.add_argument("-o", "--output", metavar="FILE", help="write there instead of stdout")
    command.add_argument("-v", "--verbose", action="store_true", help="also show each new argument with its source")


def _fit(command: argparse.ArgumentParser, name: str) -> None:
    command.epilog = f"""\
examples:
  {name} fit config.json --assume hardware.gpu.model=h100-80gb-sxm
  {name} fit deploy.yaml+hf:models/llama-3.1-8b
  {name} fit 'hf:models/llama-3.1-8b+cmd:vllm serve m --max-model-len 8192' --assume hardware.gpu.memory.bytes=80Gi

All numbers are of one device and derived; what no source shows is assumed, and said. The exit status is 0 when it
fits or is marginal, 1 when it does not fit, 2 for an input that cannot be read, 3 when what is missing decides.

{_SOURCES}"""
    command.add_argument("source", metavar="SOURCE")
    command.add_argument("--workload", metavar="NAME", default="", help="which workload, where the source has several")
    command.add_argument(
        "--assume", action="append", default=[], metavar="FACT=VALUE", help="supply what no source shows"
    )
    command.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    command.add_argument("-o", "--output", metavar="FILE", help="write there instead of stdout")


def _explain(command: argparse.ArgumentParser, name: str) -> None:
    command.epilog = f"""\
examples:
  {name} explain runtime.dtype
  {name} explain floating-image-tag
  {name} explain serving
  {name} explain                          lists everything"""
    command.add_argument("name", metavar="NAME", nargs="?", help="a fact, a check or a category")


def _demo(command: argparse.ArgumentParser, name: str) -> None:
    command.epilog = f"examples:\n  {name} demo"
    command.add_argument("--keep", metavar="DIR", help="also write the incident's files there, to play with")


def _selecting(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME",
        help="only these facts, categories or checks (globs; repeatable)",
    )
    command.add_argument(
        "--ignore", action="append", default=[], metavar="NAME", help="leave these out (globs; repeatable)"
    )
    command.add_argument(
        "--assume",
        action="append",
        default=[],
        metavar="FACT=VALUE",
        help="supply what no source shows; the report says so",
    )
    _collecting(command)


def _collecting(command: argparse.ArgumentParser) -> None:
    """What a live source is asked beyond its objects, each only where it is allowed."""
    command.add_argument(
        "--context", metavar="NAME", help="the kubeconfig context of k8s:, helm-release: and dry-run: sources"
    )
    command.add_argument("--logs", action="store_true", help="read what pods logged, too (get pods/log)")
    command.add_argument(
        "--endpoints", action="store_true", help="ask the engines in pods, through the API server (get pods/proxy)"
    )
    command.add_argument(
        "--exec", action="store_true", help="run nvidia-smi and other reading commands in pods (create pods/exec)"
    )


def _judging(command: argparse.ArgumentParser) -> None:
    _selecting(command)
    command.add_argument(
        "--fail-on", choices=SEVERITIES, default=None, help="exit 1 from this severity on (default: medium)"
    )
    command.add_argument("--strict", action="store_true", help="exit 3 when the evidence is incomplete")
    command.add_argument("--baseline", metavar="REPORT", help="a JSON report: what it found is known and does not fail")
    command.add_argument("--format", choices=FORMATS, default="text", help="default: text")
    command.add_argument("-o", "--output", metavar="FILE", help="write the report there instead of stdout")
    command.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="also show remedies in full, what is unknown, and what was passed over",
    )


def _writing(command: argparse.ArgumentParser, default: str) -> None:
    command.add_argument("-o", "--output", metavar="FILE", default=default, help=f"default: {default}; '-' for stdout")
    command.add_argument("--force", action="store_true", help="overwrite the file")
    command.add_argument(
        "--assume", action="append", default=[], metavar="FACT=VALUE", help="supply what no source shows"
    )


COMMANDS: Mapping[str, tuple[str, Callable[[argparse.ArgumentParser, str], None]]] = {
    "diff": ("compare two sources: last-good and current, staging and production", _diff),
    "check": ("run every check, and compare with what was intended", _check),
    "facts": ("show what is known about a source, how, and what cannot be known", _facts),
    "init": ("write a ModelSpec contract from a known-good deployment", _init),
    "lock": ("write askew.lock: every resolved fact of a known-good deployment", _lock),
    "bundle": ("write the evidence of sources, without secrets, to one archive that can be read anywhere", _bundle),
    "golden": ("record what a served model gives for fixed inputs, and verify that it still does", _golden),
    "defaults": ("tell what changes if only the version of an engine changes", _defaults),
    "fit": ("tell whether a model fits into memory, how many requests at once, and how fast it can be", _fit),
    "explain": ("explain a fact, a check or a category", _explain),
    "demo": ("a bundled incident, end to end: no arguments, no network, no cluster", _demo),
}
