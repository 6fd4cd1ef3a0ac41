"""Which environment variables of a contract can be held against a deployment."""

from __future__ import annotations

from collections.abc import Iterable


def compared(names: Iterable[str]) -> frozenset[str]:
    """Those that every engine shows as ``runtime.env``.

    A variable that an engine expresses as another fact, or that changes nothing, never stands among a deployment's
    ``runtime.env``: declared there, it would seem to be missing from every deployment.
    """
    from askew.engines.observe import RELEVANT_PREFIXES, is_inert

    likely = [name for name in names if name.startswith(RELEVANT_PREFIXES) and not is_inert(name)]
    if not likely:
        return frozenset()
    from askew.engines.sglang.engine import ENGINE as SGLANG
    from askew.engines.tgi.engine import ENGINE as TGI
    from askew.engines.vllm.engine import ENGINE as VLLM
    from askew.evidence.launch import Launch, Variable
    from askew.evidence.location import Location

    at = Location("contract")
    launch = Launch(argv=(), location=at, env={name: Variable(name, "1", at) for name in likely})
    kept = set(likely)
    for engine in (VLLM, SGLANG, TGI):
        kept &= {o.key for o in engine.read(launch).observations if o.fact == "runtime.env"}
    return frozenset(kept)
