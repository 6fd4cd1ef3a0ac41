"""Options and variables without a fact of their own whose default changed between releases, and what each matters for.

An option that matters only for some deployments is told only of those. Sources: the literal defaults are those of
``versions/``; the rest is cited beside it, in the packages at https://pypi.org/project/vllm/#history
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from askew.engines.versions import Default
from askew.engines.vllm import generations
from askew.engines.vllm.generations import GPU, Facts, Setting
from askew.engines.vllm.readers import OTHER
from askew.facts.types import Value
from askew.resolve.observation import Confidence, Unknown
from askew.resolve.rule import Rule

_ENV = "runtime.env"


class Switch(msgspec.Struct, frozen=True, kw_only=True):
    """An argument or variable whose literal default some release changed.

    ``where`` is the fact that must be as ``value``, or above one where there is none, for the option to matter; empty:
    it always does. ``asked`` is a switch of the launch, an argument or what the image is built for, without which the
    option is of no interest.
    """

    name: str
    because: str
    where: str = ""
    value: Value = None
    asked: str = ""

    def matters(self, facts: Facts) -> bool:
        """Whether it is known that the option matters for this deployment."""
        if not self.where:
            return True
        found = facts.get(self.where)
        if self.value is not None:
            return found == self.value
        return isinstance(found, int) and found > 1


_TENSORS, _EXPERTS = "runtime.tensor_parallel_size", "--enable-expert-parallel"

SWITCHES: tuple[Switch, ...] = (
    Switch(name="--max-logprobs", because="the most log probabilities that a request may ask for"),
    Switch(
        name="--prefix-caching-hash-algo",
        because="how cached prefixes are told apart",
        where="runtime.prefix_caching",
        value=True,
    ),
    Switch(name="--all2all-backend", because="how tokens reach the experts of other ranks", asked=_EXPERTS),
    Switch(name="VLLM_ALL2ALL_BACKEND", because="how tokens reach the experts of other ranks", asked=_EXPERTS),
    Switch(name="VLLM_ALLREDUCE_USE_SYMM_MEM", because="how tensor parallel ranks add up", where=_TENSORS),
    Switch(name="VLLM_ALLREDUCE_USE_FLASHINFER", because="how tensor parallel ranks add up", where=_TENSORS),
    Switch(
        name="VLLM_USE_DEEP_GEMM",
        because="which kernels multiply in FP8",
        where="runtime.quantization",
        value="fp8",
    ),
    *(
        Switch(name=name, because="which kernels run on AMD", asked="rocm")
        for name in (
            "VLLM_ROCM_USE_AITER_FP4BMM",
            "VLLM_ROCM_USE_AITER_FP8BMM",
            "VLLM_ROCM_USE_AITER_FUSION_SHARED_EXPERTS",
        )
    ),
)


def rules(setting: Setting) -> tuple[Rule, ...]:
    """What holds where the launch says nothing."""
    found = [_switch(setting, one) for one in SWITCHES if not one.asked or one.asked in setting.asks]
    found += [_asynchronous(setting), _items(setting), _temperature(setting)]
    if "VLLM_USE_V2_MODEL_RUNNER" in setting.release.variables:
        found.append(_runner(setting))
    if setting.steps:
        found.append(_streamed(setting))
    if setting.platform:
        found.append(_block(setting))
    return tuple(found)


def _switch(setting: Setting, switch: Switch) -> Rule:
    option = switch.name.startswith("-")
    entry = (setting.release.arguments if option else setting.release.variables).get(switch.name)

    def compute(facts: Facts) -> Value | Unknown:
        if entry is None or entry.kind == "rule" or entry.value is None:
            return Unknown(f"vLLM {setting.release.version} has no default of {switch.name}", missing=True)
        if not switch.matters(facts):
            return Unknown(f"{switch.name} matters for other deployments only", missing=True)
        return _word(entry, option)

    return Rule(
        fact=OTHER if option else _ENV,
        key=switch.name,
        needs=(),
        uses=(switch.where,) if switch.where else (),
        compute=compute,
        because=switch.because,
        location=setting.release.where(entry) if entry is not None else None,
    )


def _word(entry: Default, option: bool) -> str:
    """A default as someone would write it: variables that are on are 1."""
    word = str(entry.value)
    return word if option else {"True": "1", "False": "0"}.get(word, word)


def _asynchronous(setting: Setting) -> Rule:
    """``VllmConfig.__post_init__`` since 0.14.0: on unless something forbids it. ``vllm/config/vllm.py``"""

    def compute(facts: Facts) -> Value | Unknown:
        if setting.key < (0, 14):
            return False
        if setting.pooling:
            return Unknown("releases differ in whether pooling models are scheduled so")
        if facts.get("runtime.speculative"):
            return Unknown("it depends on the method of speculative decoding")
        if setting.executor not in ("", "mp", "uni"):
            return Unknown(f"it depends on what the executor {setting.executor} can do")
        ranks = facts.get("runtime.pipeline_parallel_size")
        if isinstance(ranks, int) and ranks > 1:
            return Unknown("releases differ in whether pipeline parallel ranks are scheduled so")
        return True

    confidence: Confidence = "certain" if setting.key < (0, 14) else "likely"
    return Rule(
        fact="runtime.async_scheduling",
        needs=(),
        uses=("runtime.speculative", "runtime.pipeline_parallel_size"),
        compute=compute,
        because="scheduling overlaps with execution unless something forbids it"
        if setting.key >= (0, 14)
        else "scheduling overlaps with execution only where --async-scheduling asks for it",
        confidence=confidence,
        location=setting.at("--async-scheduling"),
    )


def _runner(setting: Setting) -> Rule:
    """``VllmConfig.use_v2_model_runner``: by architecture since 0.22.0, for every model since 0.29.0."""
    name = "VLLM_USE_V2_MODEL_RUNNER"
    entry = setting.release.variables.get(name)

    def compute(facts: Facts) -> Value | Unknown:
        if setting.key < (0, 22):
            return "0"
        if setting.key < (0, 29):
            return Unknown("it depends on the architecture of the model, which no source shows")
        if setting.pooling or facts.get("runtime.speculative"):
            return Unknown("the second model runner lacks some kinds of models and of speculative decoding")
        return "1"

    return Rule(
        fact=_ENV,
        key=name,
        needs=(),
        uses=("runtime.speculative",),
        compute=compute,
        because="the second model runner is used unless it lacks something that is asked for",
        confidence="likely",
        location=setting.release.where(entry) if entry is not None else None,
    )


def _items(setting: Setting) -> Rule:
    """``MultiModalConfig.get_limit_per_prompt``: 999 with V1 since 0.8.4 and for all since 0.11.0, else 1."""
    name = "--limit-mm-per-prompt"

    def compute(facts: Facts) -> Value | Unknown:
        if name not in setting.release.arguments:
            return Unknown(f"vLLM {setting.release.version} has no {name}", missing=True)
        if setting.key < (0, 8, 4):
            return "1"
        found = generations.core(setting, facts)
        return found if isinstance(found, Unknown) else "999" if found == "v1" else "1"

    return Rule(
        fact=OTHER,
        key=name,
        needs=(),
        uses=(GPU, generations.VENDOR),
        compute=compute,
        because="how many images, videos or sounds a request may have, where the model takes any",
        confidence="possible",
        location=setting.at(name),
    )


def _block(setting: Setting) -> Rule:
    """``CacheConfig.block_size``, which the platform and the attention back end choose."""
    return Rule(
        fact="runtime.kv_cache.block_size",
        needs=(),
        compute=lambda facts: Unknown("the platform chooses it"),
        because="without --block-size",
        location=setting.at("--block-size"),
    )


def _temperature(setting: Setting) -> Rule:
    """``ChatCompletionRequest.temperature``: 0.7 until 0.6.4.post1, 1.0 since, where nothing else sets a default."""
    name = "chat/completions.temperature"
    entry = setting.release.requests.get(name)

    def compute(facts: Facts) -> Value | Unknown:
        sampling = facts.get("runtime.sampling_defaults")
        if entry is None or facts.get("runtime.generation_config") != "engine":
            return Unknown("the model's own generation configuration may set it", missing=True)
        if isinstance(sampling, dict) and "temperature" in sampling:
            return Unknown("runtime.sampling_defaults says it", missing=True)
        return str(entry.value)

    return Rule(
        fact=OTHER,
        key=name,
        needs=(),
        uses=("runtime.generation_config", "runtime.sampling_defaults"),
        compute=compute,
        because="the temperature of chats whose clients send none",
        location=setting.release.where(entry) if entry is not None else None,
    )


def _streamed(setting: Setting) -> Rule:
    """Of several steps at once, each is streamed by itself since 0.6.3."""
    name = "--multi-step-stream-outputs"
    entry: Mapping[str, Default] = setting.release.arguments

    def compute(facts: Facts) -> Value | Unknown:
        if name not in entry:
            return Unknown(f"vLLM {setting.release.version} has no {name}", missing=True)
        return "true" if entry[name].value is True else "false"

    return Rule(
        fact=OTHER,
        key=name,
        needs=(),
        compute=compute,
        because="whether the tokens of several scheduler steps are streamed one by one",
        location=setting.at(name),
    )
