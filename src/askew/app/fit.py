"""Does it fit, and how fast can it be? From the facts of one workload to a budget of one device.

Everything here is derived: from what sources state, from the GPU catalogue, and from the arithmetic of
``knowledge.capacity``. What no source shows is taken as the engine's own default where that is known, and said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from askew.app.errors import UsageError
from askew.app.load import Side, assumptions, load
from askew.checks.loading import at_least, downloaded
from askew.engines.versions import release_key
from askew.evidence.redaction import Redactor
from askew.facts.catalogue import FACTS
from askew.facts.types import Value
from askew.knowledge import capacity
from askew.knowledge.capacity import Geometry, Shards
from askew.report.fit import Bounds, ColdStart, Fit, Missing, Verdict
from askew.resolve.workload import Resolved, Snapshot

# The share of a device's memory by which the arithmetic may be off: a budget that depends on less is marginal.
_DOUBT = 0.02
# What vLLM's server does where nothing is known of the engine; said among the assumptions.
_SHARE, _SEQS, _STEP = 0.9, 256, 8192


class Fits:
    """The budgets of one source, and how the source could be read."""

    def __init__(self, side: Side, found: Fit) -> None:
        self.side = side
        self.found = found


def fit(uri: str, assume: Sequence[str], workload: str = "") -> Fits:
    """The budget of the one workload of a source.

    Raises UsageError for a source that holds none, or several of which ``workload`` names none.
    """
    observations, assumed = assumptions(assume)
    side = load(uri, "target", Redactor(), observations)
    found = [one for one in side.snapshots if not workload or workload in (one.id, one.workload.name)]
    if not found and side.errors:
        return Fits(side, Fit(verdict="unknown", missing=(Missing("model.parameters", side.errors[0].message, ""),)))
    if len(found) != 1:
        names = ", ".join(one.id for one in (found or side.snapshots)[:6])
        raise UsageError(
            f"{uri} holds {len(side.snapshots)} workloads" + (f", and none is '{workload}'" if workload else ""),
            f"name one with --workload: {names}" if names else "point at a model's config.json, or at a deployment",
        )
    stated = tuple(f"{one.fact}={one.value}" for one in assumed)
    return Fits(side, _Budget(found[0], stated).fit())


class _Budget:
    """One workload's budget: the facts, what had to be assumed, and what is missing."""

    def __init__(self, snapshot: Snapshot, assumed: tuple[str, ...]) -> None:
        self.snapshot = snapshot
        self.facts: Mapping[str, Resolved] = snapshot.facts
        self.assumed = list(assumed)
        self.missing: list[Missing] = []
        self.engine = snapshot.engine.name if snapshot.engine is not None else ""
        self.version = snapshot.engine.version if snapshot.engine is not None else None

    def known(self, fact: str) -> Value:
        resolved = self.facts.get(fact)
        return resolved.value if resolved is not None and resolved.state == "known" else None

    def number(self, fact: str) -> float | None:
        value = self.known(fact)
        return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None

    def entry(self, fact: str, key: str) -> int | None:
        value = self.known(fact)
        number = value.get(key) if isinstance(value, dict) else None
        return number if isinstance(number, int) else None

    def needs(self, fact: str) -> None:
        resolved = self.facts.get(fact)
        reason = resolved.reason if resolved is not None and resolved.reason else "no source shows it"
        self.missing.append(Missing(fact, reason, FACTS[fact].observe_with))

    def default(self, fact: str, value: float, why: str) -> float:
        number = self.number(fact)
        if number is None:
            self.assumed.append(f"{fact}={value:g} ({why})")
            return value
        return number

    def fit(self) -> Fit:
        shards = Shards(
            tensor=int(self.number("runtime.tensor_parallel_size") or 1),
            pipeline=int(self.number("runtime.pipeline_parallel_size") or 1),
        )
        memory = self.number("hardware.gpu.memory.bytes")
        if memory is None:
            self.needs("hardware.gpu.memory.bytes")
        geometry, each = self.geometry(), self.cache_bytes()
        weights = self.weights(shards)
        length = self.number("runtime.max_model_len") or self.number("model.context_length")
        if length is None:
            self.needs("runtime.max_model_len")
        if memory is None or geometry is None or each is None or weights is None or length is None:
            per_token = capacity.cache_bytes_per_token(geometry, each, shards) if geometry and each else 0
            return self.result(
                "unknown", weights=weights or 0, per_token=per_token, memory=int(memory or 0),
                because="what is missing decides",
            )  # fmt: skip
        seqs = int(self.default("runtime.max_num_seqs", _SEQS, "vLLM's default"))
        step = int(self.default("runtime.max_num_batched_tokens", _STEP, "vLLM's default"))
        old = self.engine == "vllm" and self.version is not None and release_key(self.version) < (0, 17)
        activation = capacity.step_bytes(
            seqs, step, int(self.number("model.vocab_size") or 0), self.entry("model.shape", "hidden") or 0,
            self.entry("model.shape", "expert_intermediate") or 0, self.entry("model.shape", "experts_per_token") or 0,
            shards, old=old,
        )  # fmt: skip
        overhead = capacity.context_bytes(shards, old=old)
        share = self.default("runtime.gpu_memory_utilization", _SHARE, "vLLM's default until 0.19")
        shown = self.facts["hardware.gpu.memory.bytes"]
        by_driver = shown.origin == "catalogue" and self.known("hardware.gpu.vendor") == "nvidia"
        budget = int((memory - (capacity.RESERVED if by_driver else 0)) * share)
        # SGLang's share holds weights and cache; what a step takes lies outside it.
        room = budget - weights - (0 if self.engine == "sglang" else activation + overhead)
        held = capacity.cache_holds(room, geometry, each, shards, int(length), step)
        doubt = int(memory * _DOUBT)
        worse = capacity.cache_holds(room - doubt, geometry, each, shards, int(length), step).concurrency
        better = capacity.cache_holds(room + doubt, geometry, each, shards, int(length), step).concurrency
        longest = f"one request of {int(length)} tokens"
        if better < 1:
            verdict: Verdict = "does-not-fit"
            because = (
                f"the cache has no room for {longest}: it holds {held.tokens} tokens"
                if room > 0
                else f"weights and one step need {_gib(budget - room)}, and the engine may take {_gib(budget)}"
            )
        elif worse < 1:
            verdict, because = "marginal", f"{longest} fits only if the arithmetic is off by less than {_DOUBT:.0%}"
        else:
            verdict, because = "fits", f"{held.concurrency:.1f} requests of {int(length)} tokens fit at once"
        per_token = capacity.cache_bytes_per_token(geometry, each, shards)
        return self.result(
            verdict, weights=weights, per_token=per_token, memory=int(memory),
            because=because, room=max(0, room), tokens=held.tokens, concurrency=held.concurrency, activation=activation,
            overhead=overhead, budget=budget, length=int(length), bounds=self.bounds(weights, geometry, shards),
        )  # fmt: skip

    def result(
        self,
        verdict: Verdict,
        *,
        weights: int,
        per_token: int,
        memory: int,
        because: str,
        room: int = 0,
        tokens: int = 0,
        concurrency: float = 0.0,
        activation: int = 0,
        overhead: int = 0,
        budget: int = 0,
        length: int = 0,
        bounds: Bounds | None = None,
    ) -> Fit:
        return Fit(
            workload=self.snapshot.id,
            verdict=verdict,
            because=because,
            weights_bytes=weights,
            kv_bytes=room,
            kv_bytes_per_token=per_token,
            kv_tokens=tokens,
            max_concurrency=round(concurrency, 2),
            activation_bytes=activation,
            overhead_bytes=overhead,
            memory_bytes=memory,
            budget_bytes=budget,
            request_tokens=length,
            bounds=bounds,
            cold_start=self.cold_start(weights),
            assumed=tuple(self.assumed),
            missing=tuple(self.missing),
        )

    def cold_start(self, weights: int) -> ColdStart | None:
        """Of all devices' weights: a node reads them once, whatever each device keeps of them."""
        devices = (self.number("runtime.tensor_parallel_size") or 1) * (
            self.number("runtime.pipeline_parallel_size") or 1
        )
        size = int(self.number("model.weights.bytes") or weights * devices)
        if not size:
            return None
        return ColdStart(
            weights_bytes=size,
            from_disk_seconds=round(at_least(size), 1),
            with_download_seconds=round(downloaded(size), 1),
        )

    def geometry(self) -> Geometry | None:
        numbers = {key: self.entry("model.kv_geometry", key) for key in ("layers", "kv_heads", "head_dim")}
        if not all(numbers.values()):
            self.needs("model.kv_geometry")
            return None
        return Geometry(
            layers=numbers["layers"] or 0,
            kv_heads=numbers["kv_heads"] or 0,
            head_dim=numbers["head_dim"] or 0,
            kv_lora_rank=self.entry("model.kv_geometry", "kv_lora_rank") or 0,
            rotary=self.entry("model.kv_geometry", "qk_rope_head_dim") or 0,
            window_layers=self.entry("model.kv_geometry", "window_layers") or 0,
            window=self.entry("model.kv_geometry", "window") or 0,
        )

    def plain(self) -> float | None:
        """Bytes of a parameter that is not quantized."""
        for fact in ("runtime.dtype", "model.config.dtype"):
            if isinstance(name := self.known(fact), str) and (each := capacity.bytes_per_parameter(name)) is not None:
                return each
        return None

    def cache_bytes(self) -> float | None:
        """Bytes of one number in the cache."""
        name = self.known("runtime.kv_cache.dtype")
        each = capacity.bytes_per_parameter(name) if isinstance(name, str) else None
        if each is None and (each := self.plain()) is None:
            self.needs("runtime.kv_cache.dtype")
        return each

    def weights(self, shards: Shards) -> int | None:
        """Weights of one device: the size of the files where it is known and they are served as they are, else from the
        number of parameters and what each takes."""
        method, stored = self.known("runtime.quantization"), self.known("model.quantization")
        scheme = stored.get("method") if isinstance(stored, dict) else None
        if not isinstance(method, str) or method == "none":
            method = scheme if isinstance(scheme, str) else None
        size = self.number("model.weights.bytes")
        if size is not None and (method is None or scheme is not None):
            return int(size / (shards.tensor * shards.pipeline))
        plain, total = self.plain(), self.entry("model.parameters", "total")
        if total is None:
            self.needs("model.parameters")
            return None
        if plain is None:
            self.needs("runtime.dtype")
            return None
        bits = self.entry("model.quantization", "bits")
        each = plain if method is None else capacity.bytes_per_parameter(method, bits)
        if each is None:
            self.missing.append(
                Missing("model.quantization", f"how much {method} takes is not known to this build", "")
            )
            return None
        return capacity.weight_bytes(total, self.entry("model.parameters", "embedding") or 0, each, plain, shards)

    def bounds(self, weights: int, geometry: Geometry, shards: Shards) -> Bounds | None:
        """The least times that the device's memory and arithmetic allow, where the catalogue knows both."""
        from askew.knowledge.gpus import info

        models = self.known("hardware.gpu.model")
        if not isinstance(models, list) or len(models) != 1:
            return None
        device = info(str(models[0]))
        total, active = self.entry("model.parameters", "total"), self.entry("model.parameters", "active")
        peak = device.tflops.get("bf16") or device.tflops.get("fp16")
        if not device.bandwidth_bytes_per_second or not total or not active or not peak:
            return None
        hidden = self.entry("model.shape", "hidden") or 0
        devices = shards.tensor * shards.pipeline
        return Bounds(
            decode_seconds_per_token=capacity.decode_seconds(
                int(weights * active / total), 0, device.bandwidth_bytes_per_second
            ),
            prefill_seconds_per_1000_tokens=capacity.prefill_seconds(
                active, 1000, geometry.layers, hidden, peak, devices
            ),
        )


def _gib(size: int) -> str:
    return f"{size / capacity.GIB:.1f} GiB"
