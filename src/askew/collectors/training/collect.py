"""``mlflow:DIR`` and ``training:PATH``: what training and validation recorded.

``mlflow:`` takes the directory of a model, which holds ``MLmodel``, or of a run that has one model. ``training:`` takes
any directory of records, or one file: a trainer's configuration, a lock of the training image. Only YAML, JSON and text
are read; nothing is loaded, unpickled or run, and links that lead outside of the directory are not followed.
"""

from __future__ import annotations

import os

from askew.collectors import records
from askew.collectors.interface import Capability, Evidence, Request, Text, located
from askew.collectors.reading import Reader
from askew.evidence.redaction import Redactor

_MODELS = ("", "model", "artifacts/model", "artifacts")  # where a run keeps its model
_HINTS = {
    "mlflow": "name the directory that holds the file MLmodel",
    "training": "name a directory with records of training (an MLflow model, a trainer's configuration, a W&B run), or "
    "one such file",
}


class TrainingCollector:
    """Records of training in a directory or a file."""

    name = "training"
    schemes: tuple[str, ...] = ("mlflow", "training")
    capabilities: tuple[Capability, ...] = ("filesystem",)

    def collect(self, request: Request, redactor: Redactor) -> Evidence:
        """Read the records. Never raises for what lies there."""
        reader = Reader(redactor)
        target = request.target.rstrip("/") or request.target[:1] or "."
        hint = _HINTS[request.scheme]
        path = located(target, request.base)
        try:
            if records.is_directory(path):
                self._directory(reader, request.scheme, path, target, redactor)
            else:
                records.add_file(reader, path, target, record="")
        except (OSError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) and error.strerror else "this is no path"
            reader.fail(target, said.lower(), hint)
        return reader.evidence(request.uri, "no record of training lies in this directory", hint, platform="training")

    def _directory(self, reader: Reader, scheme: str, path: str, shown: str, redactor: Redactor) -> None:
        if scheme == "mlflow":
            inside = next((part for part in _MODELS if os.path.isfile(os.path.join(path, part, "MLmodel"))), None)
            if inside is None:
                reader.fail(shown, "no MLmodel lies in this directory", _HINTS["mlflow"])
                return
            path, shown = os.path.join(path, inside), f"{shown}/{inside}".rstrip("/")
        names = records.names_of(path)
        home = os.path.realpath(path)

        def real(name: str) -> str:
            found = os.path.realpath(os.path.join(path, name))
            if os.path.commonpath((found, home)) == home:
                return found
            reader.fail(f"{shown}/{name}", "the link leads outside of the directory", "name the file that it leads to")
            return ""

        records.add(reader, records.wanted(names), shown, real, record="")
        if reader.documents or reader.texts:
            reader.texts.append(Text(source=f"{shown}/", text=redactor.text("\n".join(names))))


COLLECTOR = TrainingCollector()
