"""Commands: from arguments to the pipeline, from its result to stdout and an exit code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from askew.app.errors import UsageError
from askew.cli.arguments import COMMANDS, parser

if TYPE_CHECKING:
    from askew.app.pipeline import Options
    from askew.probe.golden import Golden
    from askew.report.model import InputError, Report

INTERNAL_ERROR = 4
INTERRUPTED = 130


def run(words: Sequence[str]) -> int:
    """Run one command line. Every failure becomes a message on stderr and an exit code; a traceback only with
    ASKEW_DEBUG."""
    _write_utf8()
    try:
        arguments = parser(words[0] if words and words[0] in COMMANDS else "", _width()).parse_args(words)
        if arguments.version:
            from askew import __version__

            print(f"askew {__version__}")
            return 0
        if arguments.command is None:
            parser(width=_width()).print_help(sys.stderr)
            return 2
        code = _COMMANDS[arguments.command](arguments)
        sys.stdout.flush()
        return code
    except UsageError as error:
        return _fail(str(error))
    except BrokenPipeError:
        # The reader (head, less) has gone: nothing is wrong. Keep the interpreter from flushing into the closed pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("askew: interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if os.environ.get("ASKEW_DEBUG"):
            raise
        text = _without_secrets(f"{type(error).__name__}: {error}")
        print(
            f"askew: internal error: {text}\n"
            "  hint: this is a bug in Askew; ASKEW_DEBUG=1 shows where, please report it",
            file=sys.stderr,
        )
        return INTERNAL_ERROR


def _write_utf8() -> None:
    """Reports are UTF-8 whatever the locale says (LC_ALL=C in a container), and no name of a file can stop one."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace")


def _fail(message: str) -> int:
    print(f"askew: {_without_secrets(message)}", file=sys.stderr)
    return 2


def _without_secrets(text: str) -> str:
    from askew.evidence.redaction import Redactor, shown

    return shown(Redactor().text(text))


def _diff(arguments: argparse.Namespace) -> int:
    from askew.app.pipeline import diff

    return _finish(arguments, diff(arguments.reference, arguments.target, _options(arguments)))


def _check(arguments: argparse.Namespace) -> int:
    from askew.app.contracts import in_directory
    from askew.app.pipeline import check, check_found

    options = _options(arguments)
    against = arguments.against or options.config.against
    if against:
        return _finish(arguments, check(arguments.target, against, options))
    found = in_directory(".", arguments.target)
    if not found:
        return _finish(arguments, check(arguments.target, None, options))
    print(f"askew: comparing with {', '.join(found)}", file=sys.stderr)
    report = check_found(arguments.target, found, options)
    if report.workloads and not any(workload.reference_id for workload in report.workloads):
        print(f"askew: {arguments.target} runs nothing that they cover; --against compares anyway", file=sys.stderr)
    return _finish(arguments, report)


def _finish(arguments: argparse.Namespace, report: Report) -> int:
    from askew.app.pipeline import exit_code
    from askew.report.render import render

    _say_errors(report.errors)
    if arguments.verbose:
        for note in report.notes:
            print(f"askew: passed over {note}", file=sys.stderr)
    text = render(report, arguments.format, color=_color(arguments), width=_width(), verbose=arguments.verbose)
    _write(text, arguments.output)
    return exit_code(report, strict=arguments.strict)


def _say_errors(errors: Sequence[InputError]) -> None:
    for error in errors:
        _say(error.source, error.line, error.column, error.message, error.hint)


def _say(source: str, line: int, column: int, message: str, hint: str) -> None:
    place = source + (f":{line}" if line else "") + (f":{column}" if column else "")
    print(f"askew: {place}: {message}\n  hint: {hint}", file=sys.stderr)


def _facts(arguments: argparse.Namespace) -> int:
    from askew.app.pipeline import facts
    from askew.report.facts import render_facts

    known = facts(arguments.source, _options(arguments))
    _say_errors(known.side.errors)
    text = render_facts(
        known.side.snapshots or tuple(c.snapshot for c in known.side.contracts),
        known.side.statuses,
        known.side.errors,
        known.assumed,
        arguments.format,
        only=tuple(arguments.only),
        ignore=tuple(arguments.ignore),
        color=_color(arguments),
        width=_width(),
    )
    _write(text, arguments.output)
    return 2 if known.side.errors else 0


def _init(arguments: argparse.Namespace) -> int:
    from askew.app.pipeline import facts
    from askew.contract.modelspec import write

    known = facts(arguments.source, _options(arguments))
    if known.side.errors:
        error = known.side.errors[0]
        return _fail(f"{error.source}: {error.message}\n  hint: {error.hint}")
    found = known.side.snapshots
    if arguments.workload:
        found = tuple(s for s in found if arguments.workload in (s.id, s.workload.name))
    if len(found) != 1:
        names = ", ".join(s.id for s in known.side.snapshots)
        return _fail(
            f"{arguments.source} has {len(known.side.snapshots)} workloads\n  hint: choose one with --workload: {names}"
        )
    return _create(write(found[0]), arguments)


def _lock(arguments: argparse.Namespace) -> int:
    from askew.app.pipeline import facts
    from askew.contract.lock import write

    known = facts(arguments.source, _options(arguments))
    if known.side.errors:
        error = known.side.errors[0]
        return _fail(
            f"{error.source}: {error.message}\n"
            f"  hint: a lock is written only from sources that could be read whole. {error.hint}"
        )
    return _create(write(known.side.snapshots), arguments)


def _create(text: str, arguments: argparse.Namespace) -> int:
    if arguments.output != "-" and os.path.exists(arguments.output) and not arguments.force:
        return _fail(f"{arguments.output} exists\n  hint: --force overwrites it, -o FILE writes elsewhere")
    _write(text, None if arguments.output == "-" else arguments.output)
    if arguments.output != "-":
        print(f"askew: wrote {arguments.output}", file=sys.stderr)
    return 0


def _bundle(arguments: argparse.Namespace) -> int:
    from askew.app.bundle import Bundling, bundle
    from askew.cli.output import Output

    if arguments.rename and not arguments.anonymise:
        raise UsageError("--rename without --anonymise renames nothing", "add --anonymise")
    key = _key(arguments.key) if arguments.key else None
    how = Bundling(
        now=_now(),
        key=key,
        anonymise=arguments.anonymise,
        rename=tuple(arguments.rename),
        progress=_progress(),
        allowed=_allowed(vars(arguments)),
    )
    with Output(arguments.output, force=arguments.force) as output:
        done = bundle(arguments.sources, output.write, how)
    _clear_progress()
    for error in done.errors:
        _say(error.source, error.line, error.column, error.message, error.hint)
    manifest = done.manifest
    count = len(manifest.sources)
    told = f"{count} source{'s' if count != 1 else ''}, {done.size:,} bytes of evidence"
    if manifest.interrupted:
        left = f", {len(manifest.missing)} not read" if manifest.missing else ""
        print(f"askew: interrupted: {told}{left}", file=sys.stderr)
    if arguments.output != "-":
        print(f"askew: wrote {arguments.output}: {told}", file=sys.stderr)
    return INTERRUPTED if manifest.interrupted else 2 if done.errors else 0


def _golden(arguments: argparse.Namespace) -> int:
    from askew.probe.golden import MAX_TOKENS, written

    if not 0 < arguments.max_tokens <= MAX_TOKENS or not 0 < arguments.timeout <= 86_400:
        raise UsageError(
            "--max-tokens or --timeout is out of bounds",
            f"up to {MAX_TOKENS} tokens of an answer, and a day in seconds",
        )
    if arguments.output and arguments.output != "-" and os.path.exists(arguments.output) and not arguments.force:
        raise UsageError(f"{arguments.output} exists", "--force overwrites it, -o FILE writes elsewhere")
    if arguments.action == "record":
        golden, interrupted = _recorded(arguments)
        if golden.reason:
            _clear_progress()
            print(f"askew: partial: {_without_secrets(golden.reason)}", file=sys.stderr)
        code = _create(written(golden), arguments)
        return code or (INTERRUPTED if interrupted else 2 if golden.reason else 0)
    if arguments.output == "-":
        raise UsageError("-o - would mix two outputs", "name a file: -o verified.json")
    return _verified(arguments)


def _verified(arguments: argparse.Namespace) -> int:
    from askew.app.golden import opened, verified
    from askew.app.outputs import changed, verification
    from askew.app.pipeline import exit_code
    from askew.probe.golden import written
    from askew.report.golden import render_golden
    from askew.report.render import render

    golden = opened(arguments.subject)
    if golden.reason:
        print(f"askew: {arguments.subject} is partial: {_without_secrets(golden.reason)}", file=sys.stderr)
    options = _options(arguments)
    found, interrupted = verified(
        golden,
        arguments.url,
        model=arguments.model,
        now=options.now,
        timeout=arguments.timeout,
        progress=options.progress,
    )
    _clear_progress()
    if arguments.output and (code := _create(written(found), arguments)):
        return code
    report = verification(arguments.subject, golden, found, options)
    _say_errors(report.errors)
    if arguments.format == "text":
        told = render_golden(found.verdict, found.results, changed(found), color=_color(arguments), width=_width())
    else:
        told = render(report, arguments.format, color=False, width=_width(), verbose=False)
    _write(told, None)
    if found.verdict == "different" and report.verdict != "skewed":
        print("askew: waived or ignored, by askew.toml", file=sys.stderr)
    return INTERRUPTED if interrupted else exit_code(report, strict=True)


def _recorded(arguments: argparse.Namespace) -> tuple[Golden, bool]:
    from askew.app.golden import recorded
    from askew.probe.agree import Tolerance

    if not arguments.inputs or arguments.url:
        raise UsageError("golden record needs a URL and --inputs FILE", "askew golden record URL --inputs FILE -o FILE")
    if not arguments.output:
        raise UsageError("golden record needs a file to write", "add -o golden.json, or -o - for stdout")
    bounds = {name: getattr(arguments, name) for name in ("relative", "absolute", "cosine", "logprob")}
    if any(not 0 <= bound < 1e6 for bound in bounds.values()):
        raise UsageError("a tolerance is out of bounds", "give a number from 0 on")
    return recorded(
        arguments.subject,
        arguments.inputs,
        api=arguments.api,
        model=arguments.model,
        max_tokens=arguments.max_tokens,
        tolerance=Tolerance(**bounds),
        now=_now(),
        timeout=arguments.timeout,
        progress=_progress(),
    )


def _key(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            key = file.read(4096)
    except OSError as error:
        raise UsageError(f"--key {path}: {error.strerror}", "head -c 32 /dev/urandom > FILE writes one") from None
    if len(key) < 16:
        raise UsageError(f"--key {path}: {len(key)} bytes are too few", "head -c 32 /dev/urandom > FILE writes one")
    return key


def _defaults(arguments: argparse.Namespace) -> int:
    from askew.app.defaults import defaults
    from askew.report.defaults import render_defaults

    found = defaults(arguments.engine, arguments.old, arguments.new, arguments.flags)
    text = render_defaults(found, arguments.format, color=_color(arguments), width=_width(), verbose=arguments.verbose)
    _write(text, arguments.output)
    return 0


def _fit(arguments: argparse.Namespace) -> int:
    from askew.app.fit import fit
    from askew.report.fit import render_fit

    done = fit(arguments.source, arguments.assume, arguments.workload)
    _say_errors(done.side.errors)
    _write(render_fit(done.found, arguments.format, color=_color(arguments), width=_width()), arguments.output)
    return 2 if done.side.errors else {"does-not-fit": 1, "unknown": 3}.get(done.found.verdict, 0)


def _explain(arguments: argparse.Namespace) -> int:
    from askew.app.explain import explain

    print(explain(arguments.name, width=_width()))
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    from askew.app.demo import demo

    return demo(sys.stdout, color=_color(arguments), width=_width(), keep=arguments.keep)


def _options(arguments: argparse.Namespace) -> Options:
    from askew.app.config import load
    from askew.app.pipeline import Options
    from askew.app.waivers import verify

    config = load(".")
    verify(config)
    given: Mapping[str, object] = vars(arguments)
    baseline = given.get("baseline")
    now = _now()
    return Options(
        fail_on=arguments.fail_on if given.get("fail_on") else config.fail_on or "medium",
        only=tuple(arguments.only) if "only" in given else (),
        ignore=tuple(arguments.ignore) if "ignore" in given else (),
        assume=tuple(arguments.assume) if "assume" in given else (),
        mapping=tuple(_pair(text) for text in arguments.map) if "map" in given else (),
        checks=bool(given.get("checks")),
        baseline=_baseline(str(baseline)) if baseline else None,
        config=config,
        today=now[:10],
        now=now,
        progress=_progress(),
        allowed=_allowed(given),
    )


def _allowed(given: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """What the sources in a cluster may be asked."""
    asked = tuple((name, "on") for name in ("logs", "endpoints", "exec") if given.get(name))
    context = given.get("context")
    return (("context", str(context)), *asked) if context else asked


def _pair(text: str) -> tuple[str, str]:
    left, equals, right = text.partition("=")
    if not equals or not left or not right:
        raise UsageError(
            f"--map {text}: not a pair", "write REFERENCE_WORKLOAD=TARGET_WORKLOAD, for example llm-staging=llm"
        )
    return left, right


def _baseline(path: str) -> frozenset[str]:
    from askew.report.wire import fingerprints

    try:
        with open(path, "rb") as file:
            return fingerprints(file.read())
    except (OSError, ValueError) as error:
        raise UsageError(f"--baseline {path}: {error}", "give a report written by --format json") from None


def _now() -> str:
    """The time of the report; SOURCE_DATE_EPOCH makes it reproducible (reproducible-builds.org)."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    moment = datetime.fromtimestamp(int(epoch), UTC) if epoch.isdigit() else datetime.now(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _color(arguments: argparse.Namespace) -> bool:
    """Colour on a terminal, unless NO_COLOR (no-color.org) is set or the output goes to a file."""
    if os.environ.get("NO_COLOR") or getattr(arguments, "output", None) or os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or sys.stdout.isatty()


def _width() -> int:
    """Columns to write for: the terminal's, or COLUMNS; 100 where there is neither."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit() and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        return 100


def _progress() -> Callable[[str], None] | None:
    if not sys.stderr.isatty():
        return None

    def show(text: str) -> None:
        print(f"\r\033[K{text} …\r", end="", file=sys.stderr, flush=True)

    return show


def _clear_progress() -> None:
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)


def _write(text: str, path: str | None) -> None:
    _clear_progress()
    if path is None:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        return
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text if text.endswith("\n") else text + "\n")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}", "choose another file with -o") from None


_COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "diff": _diff,
    "check": _check,
    "facts": _facts,
    "init": _init,
    "lock": _lock,
    "bundle": _bundle,
    "golden": _golden,
    "defaults": _defaults,
    "fit": _fit,
    "explain": _explain,
    "demo": _demo,
}
