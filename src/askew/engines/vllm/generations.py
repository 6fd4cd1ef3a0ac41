"""vLLM's two engines and what each does where nobody says: batch sizes, chunked prefill, prefix caching, dtype.

Until 0.7 the old engine (V0) ran; 0.8.0 to 0.10.2 choose between it and V1 by settings, model and GPU; 0.11.0 has V1
alone. Sources, in the packages at https://pypi.org/project/vllm/#history:

- the choice: ``EngineArgs._is_v1_supported_oracle``, 0.8.0 to 0.11.0
- V0: ``EngineArgs.create_engine_config``, ``_set_default_args_v0`` and ``SchedulerConfig``, 0.2.7 to 0.10.2
- V1: ``_set_default_args_v1`` (0.8.0), ``get_batch_defaults`` (0.11.1),
  ``_set_default_max_num_seqs_and_batched_tokens_args`` (0.12.0)
- dtype: ``_get_and_verify_dtype`` (0.2.7) and ``_resolve_auto_dtype`` (0.9.1) in ``vllm/config``
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from askew.engines.versions import Release, release_key
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.resolve.observation import Confidence, Unknown
from askew.resolve.rule import Rule

GIB = 2**30
GPU = "hardware.gpu.model"
VENDOR = "hardware.gpu.vendor"
LONG = 32768  # tokens of context above which V0 prefills in chunks

Facts: TypeAlias = Mapping[str, Value]
Core: TypeAlias = Literal["v0", "v1"]


class Obstacle(msgspec.Struct, frozen=True, kw_only=True):
    """An argument for which a release with two engines may keep V0.

    ``until`` is the first release that runs V1 with it. ``harmless`` are values that change nothing, ``harmful`` the
    only ones that do.
    """

    until: str = ""
    harmless: tuple[str, ...] = ()
    harmful: tuple[str, ...] = ()

    def stands(self, key: tuple[int, ...], value: str) -> bool:
        """Whether the argument with this value may keep V0 in the release with this key."""
        if self.until and key >= release_key(self.until):
            return False
        return value in self.harmful if self.harmful else value not in self.harmless


# What _is_v1_supported_oracle asks for in 0.8.0 to 0.10.2.
OBSTACLES: Mapping[str, Obstacle] = {
    "--additional-config": Obstacle(until="0.8.5"),
    "--collect-detailed-traces": Obstacle(until="0.10.2"),
    "--cpu-offload-gb": Obstacle(until="0.8.3", harmless=("0", "0.0")),
    "--disable-async-output-proc": Obstacle(),
    "--dtype": Obstacle(until="0.9.2", harmful=("float32", "float")),
    "--enable-lora": Obstacle(until="0.8.3"),
    "--enable-prompt-adapter": Obstacle(),
    "--enable-prompt-embeds": Obstacle(),
    "--guided-decoding-backend": Obstacle(until="0.10.1", harmless=("xgrammar", "auto")),
    "--kv-cache-dtype": Obstacle(harmless=("auto",)),
    "--kv-transfer-config": Obstacle(until="0.8.5"),
    "--load-format": Obstacle(harmful=("tensorizer", "sharded_state")),
    "--logits-processor-pattern": Obstacle(),
    "--long-prefill-token-threshold": Obstacle(until="0.8.3", harmless=("0",)),
    "--max-long-partial-prefills": Obstacle(harmless=("1",)),
    "--max-num-partial-prefills": Obstacle(harmless=("1",)),
    "--model-impl": Obstacle(until="0.8.3", harmful=("transformers",)),
    "--num-scheduler-steps": Obstacle(harmless=("1",)),
    "--num-speculative-tokens": Obstacle(),
    "--otlp-traces-endpoint": Obstacle(until="0.10.2"),
    "--pipeline-parallel-size": Obstacle(harmless=("1",)),
    "--preemption-mode": Obstacle(),
    "--quantization": Obstacle(until="0.9.0", harmful=("gguf", "bitsandbytes")),
    "--scheduler-delay-factor": Obstacle(harmless=("0", "0.0")),
    "--scheduling-policy": Obstacle(until="0.9.2", harmless=("fcfs",)),
    "--speculative-config": Obstacle(),
    "--speculative-model": Obstacle(),
    "--worker-cls": Obstacle(until="0.8.2", harmless=("auto",)),
    "--worker-extension-cls": Obstacle(until="0.8.2"),
}


def obstacle(release: Release, argument: str, value: str) -> bool:
    """Whether an argument with this value may keep V0 in a release that has both engines."""
    found = OBSTACLES.get(argument)
    return found is not None and found.stands(release_key(release.version), value)


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What a launch says about itself that its computed defaults depend on.

    ``asked`` is ``VLLM_USE_V1`` where it is set. ``obstacle`` is an argument for which V0 may be kept. ``throughput``:
    ``--performance-mode throughput`` doubles the batch. ``pooling``: a pooling model is asked for, of which some can do
    neither chunked prefill nor prefix caching. ``steps``: several scheduler steps are asked for.
    ``executor`` is ``--distributed-executor-backend`` where it is given. ``platform`` is what the image is built for,
    where that is neither CUDA nor ROCm. ``asks`` are the switches that the launch turns on and that other defaults
    hang on: ``--enable-expert-parallel``, ``rocm``.
    """

    release: Release
    asked: bool | None = None
    obstacle: str = ""
    throughput: bool = False
    pooling: bool = False
    steps: bool = False
    executor: str = ""
    platform: str = ""
    asks: frozenset[str] = frozenset()

    @property
    def key(self) -> tuple[int, ...]:
        """The release in an order."""
        return release_key(self.release.version)

    def at(self, argument: str) -> Location | None:
        """Where the release declares an argument."""
        entry = self.release.arguments.get(argument)
        return self.release.where(entry) if entry is not None else None


def core(setting: Setting, facts: Facts) -> Core | Unknown:
    """Which engine runs."""
    key, name = setting.key, setting.release.version
    if key >= (0, 11):
        return "v1"
    if key < (0, 8):
        if setting.asked:
            return Unknown(f"VLLM_USE_V1 was an experiment in vLLM {name}; what it did is not in this build")
        return "v0"
    if setting.asked is not None:
        return "v1" if setting.asked else "v0"
    if setting.obstacle:
        return Unknown(f"vLLM {name} keeps its older engine for some settings, and {setting.obstacle} may be one")
    maker, gpus = maker_of(facts), facts.get(GPU)
    if maker == "amd":
        return "v0" if key < (0, 9, 2) else "v1"  # off by default for what is not CUDA until 0.9.1
    if maker not in ("", "nvidia"):
        return Unknown(f"vLLM {name} chooses between its two engines by the platform on {maker}")
    if isinstance(gpus, list) and gpus:
        from askew.knowledge.gpus import info

        gpu = info(str(gpus[0]))
        if key < (0, 10, 2) and gpu.compute_capability and float(gpu.compute_capability) < 8:
            return "v0"
    return "v1"


def maker_of(facts: Facts) -> str:
    """Whose accelerators are used, as far as it is known."""
    gpus = facts.get(GPU)
    if isinstance(gpus, list) and gpus:
        from askew.knowledge.gpus import info

        return info(str(gpus[0])).vendor
    return str(facts.get(VENDOR) or "")


def _foreign(facts: Facts) -> Unknown | None:
    """Why a default is not known that platforms other than CUDA and ROCm override."""
    maker = maker_of(facts)
    return Unknown(f"vLLM decides it by the platform on {maker}") if maker not in ("", "nvidia", "amd") else None


def rules(setting: Setting) -> tuple[Rule, ...]:
    """The defaults of a release that its generation decides."""
    found = [_generation(setting), _dtype(setting), _logprobs(setting)]
    if not setting.pooling:
        found += [_chunked(setting), _prefix(setting), _tokens(setting), _seqs(setting)]
    return tuple(found)


def _sure(setting: Setting) -> Confidence:
    """Models decide too in the releases that have two engines."""
    return "likely" if (0, 8) <= setting.key < (0, 11) and setting.asked is None else "certain"


def _generation(setting: Setting) -> Rule:
    def compute(facts: Facts) -> Value | Unknown:
        found = core(setting, facts)
        return found if isinstance(found, Unknown) else found[1]

    only = "the only engine of this release" if not (0, 8) <= setting.key < (0, 11) else "chosen by GPU and settings"
    variable = setting.release.variables.get("VLLM_USE_V1")
    return Rule(
        fact="runtime.env",
        key="VLLM_USE_V1",
        needs=(),
        uses=(GPU, VENDOR),
        compute=compute,
        because=f"the generation of vLLM's engine: {only}",
        confidence=_sure(setting),
        location=setting.release.where(variable) if variable is not None else None,
    )


def _logprobs(setting: Setting) -> Rule:
    def compute(facts: Facts) -> Value | Unknown:
        found = core(setting, facts)
        if isinstance(found, Unknown):
            return found
        return "raw_logprobs" if found == "v1" else "processed_logprobs"

    return Rule(
        fact="runtime.arguments.unmapped",
        key="--logprobs-mode",
        needs=(),
        uses=(GPU, VENDOR),
        compute=compute,
        because="V0 returns log probabilities after penalties and temperature, V1 before them",
        confidence=_sure(setting),
        location=setting.at("--logprobs-mode"),
    )


def _chunked(setting: Setting) -> Rule:
    key = setting.key

    def compute(facts: Facts) -> Value | Unknown:
        found = core(setting, facts)
        if found == "v1":
            return _foreign(facts) or True
        if isinstance(found, Unknown):
            return found
        if key < (0, 5, 3):
            return False
        length = facts.get("runtime.max_model_len")
        if facts.get("runtime.lora.enabled") or facts.get("runtime.speculative"):
            return False
        if key < (0, 6, 3) and facts.get("runtime.prefix_caching"):
            return False
        if not isinstance(length, int):
            return Unknown("V0 prefills in chunks where the context is longer than 32768, and it is not known")
        return length > LONG

    return Rule(
        fact="runtime.chunked_prefill",
        needs=(),
        uses=(
            *(GPU, VENDOR, "runtime.max_model_len", "runtime.lora.enabled", "runtime.speculative"),
            *(("runtime.prefix_caching",) if key < (0, 6, 3) else ()),
        ),
        compute=compute,
        because="V1 prefills in chunks, V0 for most models with a context above 32768"
        if key >= (0, 5, 3)
        else "off unless asked for",
        confidence="likely" if key >= (0, 5, 3) else "certain",
        location=setting.at("--enable-chunked-prefill"),
    )


def _prefix(setting: Setting) -> Rule:
    def compute(facts: Facts) -> Value | Unknown:
        found = core(setting, facts)
        return found if isinstance(found, Unknown) else _foreign(facts) or found == "v1"

    return Rule(
        fact="runtime.prefix_caching",
        needs=(),
        uses=(GPU, VENDOR),
        compute=compute,
        because="V1 keeps prefixes of models that generate text, V0 does not",
        confidence="likely" if setting.key >= (0, 8) else "certain",
        location=setting.at("--enable-prefix-caching"),
    )


def _tier(setting: Setting, facts: Facts) -> tuple[int, int] | Unknown:
    """Requests and tokens of V1's server, by the GPU."""
    from askew.knowledge.gpus import info

    key, gpus = setting.key, facts.get(GPU)
    if not isinstance(gpus, list) or not gpus:
        return Unknown(f"depends on {GPU}, which no source shows")
    gpu = info(str(gpus[0]))
    if gpu.vendor not in ("nvidia", "amd"):
        return Unknown(f"vLLM decides by the platform on {gpu.vendor}")
    if key < (0, 8, 5):  # by the name of the device
        large = "h100" in gpu.id or "h200" in gpu.id
        return 1024 if large or key < (0, 8, 4) else 256, 8192 if large else 2048
    if facts.get("hardware.gpu.mig_profile"):
        return Unknown("it depends on the memory of the MIG slice")
    memory = gpu.memory_bytes or (gpu.memory_gb or 0) * 10**9
    if not memory:
        return Unknown(f"the memory of {gpu.id} is not known")
    if key >= (0, 20) and facts.get("runtime.expert_parallel") and facts.get("runtime.data_parallel_size", 1) != 1:
        return Unknown("it depends on the all-to-all back end of expert parallelism")
    seqs, tokens = 256, 2048
    kept_small = (key >= (0, 9) and "a100" in gpu.id) or (key >= (0, 33) and "gb10" in gpu.id.split("-"))
    if memory >= 160 * GIB and key >= (0, 28):
        seqs, tokens = 1024, 16384
    elif memory >= 70 * GIB and not kept_small:
        seqs, tokens = 1024, 8192
    return (seqs * 2, tokens * 2) if setting.throughput else (seqs, tokens)


def _tokens(setting: Setting) -> Rule:
    key = setting.key

    def old(facts: Facts) -> Value | Unknown:
        chunked, length = facts.get("runtime.chunked_prefill"), facts.get("runtime.max_model_len")
        if setting.steps:
            return Unknown("it depends on the number of scheduler steps")
        if chunked:
            return 2048 if key >= (0, 6, 5) else 512 if key >= (0, 4, 2) else 768
        if chunked is None or not isinstance(length, int):
            return Unknown("V0 takes the context length unless it prefills in chunks, and that is not known")
        return max(length, 2048)

    def compute(facts: Facts) -> Value | Unknown:
        found = core(setting, facts)
        if isinstance(found, Unknown):
            return found
        if found == "v0":
            return old(facts)
        tier = _tier(setting, facts)
        if isinstance(tier, Unknown):
            return tier
        length, budget = facts.get("runtime.max_model_len"), tier[1]
        if facts.get("runtime.chunked_prefill") is False and key >= (0, 10, 1):
            if not isinstance(length, int):
                return Unknown("without chunked prefill it follows the context length, which is not known")
            budget = max(budget, length) if key >= (0, 11, 1) else length
        return min(budget, tier[0] * length) if isinstance(length, int) and key >= (0, 11, 1) else budget

    return Rule(
        fact="runtime.max_num_batched_tokens",
        needs=(GPU,) if key >= (0, 11) else (),
        uses=(*_BY_GPU, "runtime.max_model_len", "runtime.chunked_prefill"),
        compute=compute,
        because="vLLM's server sets it by the GPU" if key >= (0, 8) else "V0 sets it by the context length",
        confidence="likely",
        location=setting.at("--max-num-batched-tokens"),
    )


def _seqs(setting: Setting) -> Rule:
    key = setting.key

    def compute(facts: Facts) -> Value | Unknown:
        found = core(setting, facts)
        if isinstance(found, Unknown):
            return found
        if found == "v0":
            return 256
        tier = _tier(setting, facts)
        if isinstance(tier, Unknown):
            return tier
        budget = facts.get("runtime.max_num_batched_tokens")
        bounded = key >= (0, 10, 1) and isinstance(budget, int) and not isinstance(budget, bool)
        return min(tier[0], budget) if bounded and isinstance(budget, int) else tier[0]

    return Rule(
        fact="runtime.max_num_seqs",
        needs=(GPU,) if key >= (0, 11) else (),
        uses=(*_BY_GPU, "runtime.max_num_batched_tokens"),
        compute=compute,
        because="vLLM's server sets it by the GPU" if key >= (0, 8) else "V0 runs 256 requests at once",
        confidence="likely" if key >= (0, 8) else "certain",
        location=setting.at("--max-num-seqs"),
    )


_BY_GPU = (GPU, VENDOR, "hardware.gpu.mig_profile", "runtime.expert_parallel", "runtime.data_parallel_size")


def _dtype(setting: Setting) -> Rule:
    key = setting.key

    def compute(facts: Facts) -> Value | Unknown:
        stored, gpus = facts["model.config.dtype"], facts.get(GPU)
        bfloat16 = None
        if isinstance(gpus, list) and gpus:
            from askew.knowledge.gpus import supports_bf16

            bfloat16 = supports_bf16(str(gpus[0]))
        if stored == "float16":
            return "float16"
        if stored == "float32" and (key < (0, 9, 1) or setting.pooling):
            return "float16"
        if stored in ("bfloat16", "float32"):
            if stored == "bfloat16" and (bfloat16 is None or key < (0, 9)):
                return "bfloat16"  # older releases do not start where the GPU lacks it
            if bfloat16 is None:
                return Unknown("a float32 checkpoint runs in bfloat16 or float16, whichever the GPU prefers")
            return "bfloat16" if bfloat16 else "float16"
        return Unknown(f"vLLM decides by the GPU for a checkpoint in {stored}")

    return Rule(
        fact="runtime.dtype",
        needs=("model.config.dtype",),
        uses=(GPU,),
        compute=compute,
        because="--dtype auto follows the model's configuration, and the GPU where it lacks that dtype"
        if key >= (0, 9)
        else "--dtype auto follows the model's configuration, and takes float16 for most float32 checkpoints",
        # Before 0.9.1 a few architectures (Gemma 2 and 3, PLaMo 2) had a rule of their own for float32.
        confidence="certain" if key >= (0, 9, 1) else "likely",
        location=setting.at("--dtype"),
    )
