"""``kustomize:DIR`` through ``kustomize build`` or ``kubectl kustomize``: no plug-ins, no Helm, no network.

Lines are those of the built output, which the same command prints.
"""

from __future__ import annotations

import os
import re

from askew.collectors.interface import Capability, Evidence, Request
from askew.collectors.reading import Reader
from askew.collectors.tools import find, quiet_environment, run
from askew.evidence.redaction import Redactor

_SECONDS = 60.0
_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_BY_HAND = "build it where kustomize is and pipe the result in: kubectl kustomize DIR | askew facts -"
_FETCH = re.compile(r"git fetch|failed to run '\S*git|http://|https://|URL is a git repository|127\.0\.0\.1:9\b")


class KustomizeCollector:
    """A directory with a kustomization, built as ``kubectl apply -k`` would apply it."""

    name = "kustomize"
    schemes: tuple[str, ...] = ("kustomize",)
    capabilities: tuple[Capability, ...] = ("filesystem", "exec")

    def collect(self, request: Request, redactor: Redactor) -> Evidence:
        """Build a kustomization. What the tool complains about becomes the error."""
        import tempfile

        reader = Reader(redactor)
        target = request.target or "."
        path = os.path.join(request.base, target)
        if not any(os.path.isfile(os.path.join(path, name)) for name in _NAMES):
            reader.fail(target, "this directory has no kustomization.yaml", "name the directory that has one")
            return reader.evidence(request.uri, "", "")
        kustomize = find("kustomize")
        kubectl = None if kustomize else find("kubectl")
        if kustomize:
            words = (kustomize, "build", "--", os.path.abspath(path))
        elif kubectl:
            words = (kubectl, "kustomize", "--", os.path.abspath(path))
        else:
            reader.fail(target, "neither kustomize nor kubectl is on PATH", _BY_HAND)
            return reader.evidence(request.uri, "", "")
        with tempfile.TemporaryDirectory() as home:
            ended = run(words, seconds=_SECONDS, env=quiet_environment(home, {}))
        if ended.fault or ended.status != 0:
            complaint = " ".join(ended.complaint.split()).removeprefix("Error: ").removeprefix("error: ")
            fetches = _FETCH.search(complaint) is not None
            hint = _BY_HAND if fetches else "the same command shows it: kubectl kustomize " + target
            message = "it takes parts from the network, which is not used: " if fetches else ""
            reader.fail(target, message + (ended.fault or complaint[:600] or "the build failed"), hint)
        elif ended.output.strip():
            reader.files += 1
            reader.add_manifest(f"{target.rstrip('/')} (built)", ended.output, False)
        return reader.evidence(request.uri, "the kustomization builds nothing", "kubectl kustomize shows the same")


COLLECTOR = KustomizeCollector()
