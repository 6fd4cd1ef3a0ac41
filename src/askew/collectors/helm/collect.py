"""``helm:CHART/?values=prod.yaml&set=a=b`` through ``helm template``: no plug-ins, no cluster, no network.

Locations name the template and the line of its rendered text, which is what ``helm template CHART -s TEMPLATE`` prints.
"""

from __future__ import annotations

import os
import re

from askew.collectors.interface import Capability, Evidence, Request
from askew.collectors.reading import Reader
from askew.collectors.tools import find, quiet_environment, run
from askew.evidence.redaction import Redactor

_SECONDS = 60.0
# Option of the URI → flag of ``helm template``.
_FLAGS = {
    "values": "--values",
    "set": "--set",
    "set-string": "--set-string",
    "set-json": "--set-json",
    "namespace": "--namespace",
    "kube-version": "--kube-version",
    "api-versions": "--api-versions",
}
_OPTIONS = ", ".join(("name", *_FLAGS))
_SOURCE = re.compile(rb"^# Source: (.+?)\s*$", re.MULTILINE)
_SEPARATOR = re.compile(rb"^---[ \t]*\r?\n", re.MULTILINE)
_AT = re.compile(r"\(?([\w./-]+/templates/[\w./-]+):(\d+)(?::(\d+))?")
_BY_HAND = "render it where Helm is and pipe the result in: helm template CHART -f values.yaml | askew facts -"


class HelmCollector:
    """A chart directory or a packed chart (``.tgz``), with values."""

    name = "helm"
    schemes: tuple[str, ...] = ("helm",)
    capabilities: tuple[Capability, ...] = ("filesystem", "exec")

    def collect(self, request: Request, redactor: Redactor) -> Evidence:
        """Render a chart. What Helm complains about becomes an error with its template and line."""
        import tempfile

        reader = Reader(redactor)
        uri = redactor.text(request.uri)  # a value given with set= may be a secret
        chart = request.target
        path = os.path.join(request.base, chart)
        words = _words(reader, request, path)
        helm = find("helm")
        if words is None:
            pass
        elif helm is None:
            reader.fail(chart, "Helm is not on PATH, and nothing else can render a chart", _BY_HAND)
        else:
            with tempfile.TemporaryDirectory() as home:
                extra = {"HELM_NO_PLUGINS": "1", "HELM_PLUGINS": os.path.join(home, "plugins")}
                ended = run(
                    (helm, "template", "--skip-tests", *words), seconds=_SECONDS, env=quiet_environment(home, extra)
                )
            if ended.fault or ended.status != 0:
                _complain(reader, chart, ended.fault or ended.complaint)
            else:
                _read(reader, ended.output, chart)
        return reader.evidence(uri, "the chart renders nothing with these values", "helm template shows the same")


COLLECTOR = HelmCollector()


def _words(reader: Reader, request: Request, path: str) -> list[str] | None:
    """The words behind ``helm template``; None when the request cannot be right, which is said then."""
    chart = request.target
    if not os.path.isdir(path) and not (os.path.isfile(path) and chart.endswith((".tgz", ".tar.gz"))):
        hint = "name a chart directory; charts of a repository are not fetched: helm pull --untar brings one"
        reader.fail(chart or "helm:", "there is no chart of this name here", hint)
        return None
    if os.path.isdir(path) and not os.path.isfile(os.path.join(path, "Chart.yaml")):
        reader.fail(
            chart, "this directory is no chart: it has no Chart.yaml", "name the directory that holds Chart.yaml"
        )
        return None
    name, flags = "", []
    for key, raw in request.options:
        value = _unquoted(raw)
        if key == "name":
            name = value
            continue
        flag = _FLAGS.get(key)
        if flag is None or not value:
            message = f"'{key}' has no value" if flag else f"'{key}' is no option of a chart"
            reader.fail(chart, message, f"these are: {_OPTIONS}; write helm:CHART/?values=prod.yaml&set=a=b")
            return None
        if key == "values":
            value = _values(reader, request.base, path, value)
            if not value:
                return None
        flags.append(f"{flag}={value}")
    if name.startswith("-"):
        reader.fail(chart, f"'{name}' is no name of a release", "a name begins with a letter or a digit")
        return None
    return [*flags, "--", *([name] if name else []), os.path.abspath(path)]


def _unquoted(text: str) -> str:
    if "%" not in text:
        return text
    from urllib.parse import unquote

    return unquote(text)


def _values(reader: Reader, base: str, chart: str, name: str) -> str:
    """The path of a values file: relative to the current directory as Helm has it, else to the chart."""
    for folder in (base, chart):
        path = os.path.abspath(os.path.join(folder, name))
        if "://" not in name and os.path.isfile(path):
            return path
    reader.fail(name, "there is no such values file", "the path is relative to the current directory, or to the chart")
    return ""


def _complain(reader: Reader, chart: str, complaint: str) -> None:
    """Helm's last line, with the template it names."""
    lines = [line for line in complaint.splitlines() if line.strip() and not line.startswith("WARNING")]
    message = " ".join(line.strip() for line in lines).removeprefix("Error: ")
    message = (
        message.removesuffix("Use --debug flag to render out invalid YAML").strip()[:600] or "helm template failed"
    )
    hint = "helm template shows the same; give the values it lacks with values= or set="
    if "missing in charts" in message:
        hint = f"helm dependency build {chart} brings what it lacks"
    elif "kubeVersion" in message:
        hint = "say for which Kubernetes it is rendered: kube-version=1.33"
    place = _AT.search(message)
    if place is None:
        reader.fail(chart, message, hint)
        return
    source = os.path.join(chart, place[1].split("/", 1)[1])
    reader.fail(source, message, hint, int(place[2]), int(place[3] or 0))


def _read(reader: Reader, output: bytes, chart: str) -> None:
    """Parts that come from one template are one source, in the order in which Helm wrote them."""
    sections: dict[str, list[bytes]] = {}
    starts = [match.start() for match in _SEPARATOR.finditer(output)] or [0]
    if starts[0] != 0 and output[: starts[0]].strip():
        starts.insert(0, 0)
    for start, end in zip(starts, [*starts[1:], len(output)], strict=True):
        part = output[start:end]
        match = _SOURCE.search(part)
        name = match[1].decode("utf-8", "replace").partition("/")[2] if match else ""
        sections.setdefault(name, []).append(part)
    for name, parts in sections.items():
        text = b"".join(parts)
        if text.replace(b"---", b"").strip():
            reader.files += 1
            reader.add_manifest(f"{os.path.join(chart, name)} (rendered)", text, False)
