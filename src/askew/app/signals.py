"""What an autoscaler asks of an engine that the engine does not say: the query gives nothing, and nothing scales."""

from __future__ import annotations

from collections.abc import Mapping

from askew.evidence.launch import Launch
from askew.resolve.workload import Resolved

FACT = "orchestration.autoscaler.missing_metrics"
_METRICS, _ENV = "orchestration.autoscaler.metrics", "runtime.env"
# Switches that bring hidden metrics back, or take all of them away: then the release alone does not tell.
_SWITCHES = ("--show-hidden-metrics-for-version", "--disable-log-stats")


def missing_metrics(engine: str | None, launch: Launch | None, facts: Mapping[str, Resolved]) -> Resolved | None:
    """The fact ``orchestration.autoscaler.missing_metrics``; None where no autoscaler asks for a metric of the engine.

    It stands where the autoscaler's metrics do. Unknown where the release is not known and releases differ.
    """
    signals = facts.get(_METRICS)
    if engine is None or signals is None or not isinstance(signals.value, list):
        return None
    texts = [
        str(one[part]) for one in signals.value if isinstance(one, dict) for part in ("name", "query") if part in one
    ]
    if not any(len(text) > 6 and ("_" in text or ":" in text) for text in texts):
        return None
    from askew.engines.metrics import asked, emitted, successor

    names = asked(engine, texts)
    if not names:
        return None
    version = facts.get("runtime.engine.version")
    release = str(version.value) if version is not None and version.state == "known" else None
    says = emitted(engine, release, _core(facts))
    words = {token.text.partition("=")[0].replace("_", "-") for token in launch.argv} if launch is not None else set()
    switched = [name for name in _SWITCHES if name in words]
    if says is None or switched:
        why = f"{switched[0]} is set" if switched else f"which release of {engine} runs is not known to this build"
        return Resolved(
            fact=FACT, state="unknown", reason=f"{why}; releases differ in what they emit",
            observe_with="curl -s $URL/metrics", locations=signals.locations, origin="derived", missing=True,
        )  # fmt: skip
    missing = [name for name in names if not says[name]]
    heirs = {name: successor(engine, release, name) for name in missing}
    return Resolved(
        fact=FACT,
        state="known",
        value=[*missing],
        origin="derived",
        confidence=version.confidence if version is not None else "certain",
        locations=signals.locations,
        because=tuple(
            f"{engine} {release} does not emit {name}" + (f"; ask for {heir}" if heir else "")
            for name, heir in heirs.items()
        ),
    )


def _core(facts: Mapping[str, Resolved]) -> str:
    """The generation of vLLM that runs, in releases that have two."""
    variables = facts.get(_ENV)
    entry = variables.entries.get("VLLM_USE_V1") if variables is not None else None
    return {"0": "v0", "1": "v1"}.get(str(entry.value), "") if entry is not None and entry.state == "known" else ""
