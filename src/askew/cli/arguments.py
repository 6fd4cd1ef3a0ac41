"""The arguments of every command, with help that teaches by example."""

from __future__ import annotations

import argparse
import os
from typing import NoReturn

from askew.facts.types import SEVERITIES

FORMATS = ("text", "json", "sarif", "markdown", "github", "junit")

_EXIT = """\
Exit status: 0 aligned, 1 findings at or above --fail-on, 2 bad usage or unreadable input,
3 evidence incomplete (--strict), 4 internal error."""

_SOURCES = """\
Sources: a file, a directory, '-' (stdin), git:REV:PATH, helm:CHART?values=FILE, kustomize:DIR, cmd:'vllm serve …';
a ModelSpec or askew.lock; 'a+b' joins sources that describe one workload."""


class _Parser(argparse.ArgumentParser):
    """argparse repeats unknown words in its errors; a word may hold a secret."""

    def error(self, message: str) -> NoReturn:
        from askew.evidence.redaction import Redactor, shown

        super().error(shown(Redactor().text(message)))


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    name = "kubectl askew" if os.environ.get("KUBECTL_PLUGINS_CALLER") else "askew"
    top = _Parser(
        prog=name,
        description="Find training-serving configuration skew, and show the difference that proves it.",
        epilog=f"""\
examples:
  {name} diff last-good.yaml current.yaml          what really changed, each with its line
  {name} check deploy.yaml                         checks, and the contract or lock in this directory
  {name} facts deploy.yaml                         what is known, how it is known, what cannot be known
  {name} init deploy.yaml > modelspec.yaml         write down the intent
  {name} demo                                      a bundled incident, end to end

{_EXIT}""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("-V", "--version", action="store_true", help="print the version and exit")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", title="commands")

    diff = _command(
        commands,
        "diff",
        "compare two sources: last-good and current, staging and production",
        f"""\
examples:
  {name} diff last-good.yaml current.yaml
  {name} diff git:HEAD~1:deploy.yaml deploy.yaml
  {name} diff staging/ production/ --map llm-staging=llm
  {name} diff deploy.yaml 'cmd:vllm serve Qwen/Qwen3-8B --max-model-len 8192'
  {name} diff a.yaml b.yaml --format json | jq .workloads

{_SOURCES}

{_EXIT}""",
    )
    diff.add_argument("reference", metavar="REFERENCE", help="what was good or intended")
    diff.add_argument("target", metavar="TARGET", help="what is there now")
    diff.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="A=B",
        help="compare workload A of the reference with B of the target (repeatable)",
    )
    diff.add_argument(
        "--checks", action="store_true", help="add the checks that fail in the target and did not in the reference"
    )
    _judging(diff)

    check = _command(
        commands,
        "check",
        "run every check, and compare with what was intended",
        f"""\
examples:
  {name} check deploy.yaml
  {name} check manifests/ --fail-on high
  {name} check deploy.yaml --against modelspec.yaml
  {name} check deploy.yaml --format sarif > askew.sarif

Without --against, modelspec.yaml, *.modelspec.yaml and askew.lock of the working directory are used,
and named on stderr.

{_SOURCES}

{_EXIT}""",
    )
    check.add_argument("target", metavar="TARGET", help="what to check")
    check.add_argument(
        "--against", metavar="SOURCE", help="a contract, a lock, or any source that says what was intended"
    )
    check.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="A=B",
        help="compare A of --against with workload B of the target (repeatable)",
    )
    _judging(check)

    facts = _command(
        commands,
        "facts",
        "show what is known about a source, how, and what cannot be known",
        f"examples:\n  {name} facts deploy.yaml\n  {name} facts deploy.yaml --only runtime --format json\n\n{_SOURCES}",
    )
    facts.add_argument("source", metavar="SOURCE")
    _selecting(facts)
    facts.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    facts.add_argument("-o", "--output", metavar="FILE", help="write there instead of stdout")

    init = _command(
        commands,
        "init",
        "write a ModelSpec contract from a known-good deployment",
        f"""\
examples:
  {name} init deploy.yaml                  writes modelspec.yaml
  {name} init deploy.yaml -o -             to stdout

{_SOURCES}""",
    )
    init.add_argument("source", metavar="SOURCE")
    init.add_argument("--workload", metavar="NAME", help="which workload, where the source has several")
    _writing(init, "modelspec.yaml")

    lock = _command(
        commands,
        "lock",
        "write askew.lock: every resolved fact of a known-good deployment",
        f"""\
examples:
  {name} lock manifests/                   writes askew.lock
  {name} check manifests/                  later: is it still that?

{_SOURCES}""",
    )
    lock.add_argument("source", metavar="SOURCE")
    _writing(lock, "askew.lock")

    explain = _command(
        commands,
        "explain",
        "explain a fact, a check or a category",
        f"""\
examples:
  {name} explain runtime.dtype
  {name} explain floating-image-tag
  {name} explain serving
  {name} explain                          lists everything""",
    )
    explain.add_argument("name", metavar="NAME", nargs="?", help="a fact, a check or a category")

    demo = _command(
        commands,
        "demo",
        "a bundled incident, end to end: no arguments, no network, no cluster",
        f"examples:\n  {name} demo",
    )
    demo.add_argument("--keep", metavar="DIR", help="also write the incident's files there, to play with")
    return top


def _command(
    commands: argparse._SubParsersAction[_Parser], name: str, brief: str, epilog: str
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=brief,
        description=brief[0].upper() + brief[1:] + ".",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


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
