"""Packages of the image that serves and of training, as checks read them."""

from __future__ import annotations

import re

from askew.checks.interface import Subject
from askew.resolve.workload import Resolved

SERVING, TRAINING, RELEASE = "runtime.packages", "model.training.packages", "runtime.engine.version"


def entries(resolved: Resolved | None) -> dict[str, Resolved]:
    """The entries of a map of packages; none where it is not known."""
    return dict(resolved.entries) if resolved is not None else {}


def pinned_by_release(subject: Subject) -> dict[str, Resolved]:
    """What the engine's release pins to one version, where that release is known: its images have nothing else."""
    identity, side = subject.snapshot.engine, subject.known(RELEASE)
    if identity is None or not identity.version or side is None:
        return {}
    from askew.engines import versions

    release = versions.load(identity.name, identity.version)
    if release is None:
        return {}
    return {
        name: Resolved(
            fact=SERVING,
            key=name,
            state="known",
            value=pin.value,
            origin="engine-default",
            confidence="likely",
            locations=side.locations,
            because=(f"pinned by the release: {release.where(pin)}",),
        )
        for name, pin in release.packages.items()
        if isinstance(pin.value, str) and re.fullmatch(r"\d+(?:\.\d+){2,}\S*", pin.value)
    }
