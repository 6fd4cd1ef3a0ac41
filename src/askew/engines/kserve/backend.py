"""The two back ends of huggingfaceserver: vLLM, where the image has it and it supports the model, and Transformers.

Source: ``is_vllm_backend_enabled`` and ``load_model`` in python/huggingfaceserver/huggingfaceserver/__main__.py, and
``start_engine`` (``load`` before 0.15) in vllm/vllm_model.py, of the releases of https://github.com/kserve/kserve/tags.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import msgspec

from askew.engines import versions
from askew.engines.arguments import ARGPARSE, Given, Parsed, Table, table
from askew.engines.interface import Reading
from askew.engines.kserve.flags import OF_ENCODERS, OF_TRANSFORMERS
from askew.engines.vllm.flags import FLAGS
from askew.engines.vllm.readers import OTHER
from askew.evidence.launch import Launch, Token
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.resolve.images import read_image
from askew.resolve.observation import Confidence, Observation, Unknown
from askew.resolve.rule import Rule

__all__ = ("HANDED", "OTHER", "Backend", "choose", "flag_for", "inside", "table_of", "transformers", "unheeded")

# Arguments of huggingfaceserver that it writes into those of vLLM, with the name that they have there.
HANDED: Mapping[str, str] = {
    "--model_id": "--model",
    "--model_dir": "--model",
    "--model_revision": "--revision",
    "--tokenizer_revision": "--tokenizer-revision",
    "--max_length": "--max-model-len",
    "--max_model_len": "--max-model-len",
    "--trust_remote_code": "--trust-remote-code",
}
# Defaults of vLLM's own HTTP server, which KServe's stands in for.
_OF_ITS_SERVER = ("", "--allowed-origins", "--api-server-count", "--enable-log-requests", "--root-path", "--uds")
_NOT_SERVED = ("runtime.engine.", "runtime.image", "runtime.packages", "serving.", "runtime.tensor_parallel_size")


class Backend(msgspec.Struct, frozen=True, kw_only=True):
    """Which back end serves: ``vllm``, ``transformers``, or empty for a server that has none.

    ``vllm`` is the release of vLLM in the image, None where it is not known. ``official``: the image is the project's.
    ``gpu_image``: its build for GPUs.
    """

    name: str = ""
    vllm: str | None = None
    confidence: Confidence = "certain"
    because: str = ""
    official: bool = False
    gpu_image: bool = False


def choose(server: str, words: Sequence[Token], launch: Launch, version: str | None) -> Backend:
    """The back end, as far as files tell: by ``--backend``, else by what the image has and what the arguments hint at.

    With ``auto`` the model's architecture decides, which no source here shows: then it is likely, or possible.
    """
    reference = read_image(launch.image)
    official = reference is not None and "/kserve/" in reference.name
    gpu = official and reference is not None and (reference.tag or "").endswith("-gpu")
    if official and version is not None and versions.release_key(version) < versions.release_key("0.15.0"):
        gpu = True  # one image for both before that
    known = Backend(official=official, gpu_image=gpu)
    if server != "huggingfaceserver":
        return known
    near = versions.nearest("kserve", version)
    vllm = str(near[0].packages["vllm"].value) if near is not None and "vllm" in near[0].packages else None
    asked = _value(words, "--backend")
    if asked == "huggingface" or any(word.text == "--disable_vllm" for word in words):
        return msgspec.structs.replace(known, name="transformers", because="the arguments choose it")
    if asked == "vllm":
        return msgspec.structs.replace(known, name="vllm", vllm=vllm, because="the arguments choose it")
    hints = [word.text.partition("=")[0] for word in words if word.text.partition("=")[0] in OF_ENCODERS]
    task = _value(words, "--task")
    if hints or task in OF_TRANSFORMERS:
        why = f"{hints[0] if hints else '--task=' + task} is for models that vLLM does not serve"
        return msgspec.structs.replace(known, name="transformers", confidence="likely", because=why)
    return msgspec.structs.replace(
        known, name="vllm", vllm=vllm, confidence="likely" if gpu else "possible",
        because="huggingfaceserver takes vLLM where it supports the model's architecture, which no source shows",
    )  # fmt: skip


def _value(words: Sequence[Token], name: str) -> str:
    found = ""
    for index, word in enumerate(words):
        written, sign, value = word.text.partition("=")
        if written == name:
            found = value if sign else words[index + 1].text if index + 1 < len(words) else ""
    return found.strip().lower()


def unheeded(version: str | None) -> dict[str, str]:
    """Arguments that huggingfaceserver takes and vLLM does not get, with what says the same.

    ``load_model`` writes the model over vLLM's own, and since 0.13 its revision. ``--max_length`` is another name of
    ``--max_model_len`` since 0.14.
    """
    key = versions.release_key(version) if version else ()
    found = {"--model": "--model_id", "--revision": "--model_revision"}
    if key and key < versions.release_key("0.14.0"):
        found["--max_length"] = "--max-model-len"
    if key and key < versions.release_key("0.13.0"):
        found = {"--model": "--model_id", "--max_length": "--max-model-len"}
    return found


@functools.lru_cache(maxsize=16)
def table_of(version: str | None) -> Table:
    """vLLM's arguments in a release of vLLM, under the manners of plain argparse."""
    known = versions.stable("vllm")
    return table(FLAGS, ARGPARSE, title="vLLM", version=version, releases=known.releases if known else ())


def inside(
    launch: Launch, words: Sequence[Token], handed: Parsed, chosen: Backend, version: str | None
) -> tuple[Reading, tuple[Rule, ...]]:
    """What vLLM makes of the arguments that are handed to it, and the rules, without what KServe does in its stead."""
    from askew.engines.vllm.engine import ENGINE

    image = Token(f"vllm/vllm-openai:v{chosen.vllm}", launch.location) if chosen.vllm else None
    argv = tuple(word for given in _ordered(handed, version) for word in _words(given))
    if not any(given.flag.names[0] in ("--model_id", "--model_dir") for given in handed.given):
        argv = (Token("--model", launch.location), Token("/mnt/models", launch.location), *argv)
    hidden = next((word for word in words if word.unknown and not word.text.startswith("-")), None)
    if hidden is not None:
        argv = (*argv, Token("--hidden", hidden.location, hidden.unknown))
    reading = ENGINE.read(msgspec.structs.replace(launch, argv=argv, image=image, implicit_entrypoint=True))
    if not chosen.vllm and versions.load("kserve", version) is not None:
        # vLLM came with 0.12: in an earlier release there is none to decide anything.
        written = tuple(one for one in reading.observations if one.origin != "engine-default")
        reading = msgspec.structs.replace(reading, observations=written, rules=())
    wide = _written(reading.observations)
    found = [one for one in reading.observations if not one.fact.startswith(_NOT_SERVED)]
    if chosen.confidence != "certain":
        found = [_doubted(one, chosen) for one in found]
    # Before 0.15 the model is served under --model_name alone.
    late = version is None or versions.release_key(version) >= versions.release_key("0.15.0")
    found = [
        one
        for one in found
        if not (one.fact == "model.served_names" and (one.origin != "explicit" or not late))
        and not (one.fact == OTHER and one.origin == "engine-default" and one.key in _OF_ITS_SERVER)
    ]
    ruled = [one for one in reading.rules if not one.fact.startswith(_NOT_SERVED) and one.fact != "model.served_names"]
    if chosen.confidence != "certain":
        ruled = [
            msgspec.structs.replace(
                one, confidence=_weaker(one.confidence, chosen), because=f"{one.because}; {chosen.because}"
            )
            for one in ruled
        ]
    ruled.append(_ranks(wide, version, chosen))
    return msgspec.structs.replace(reading, observations=tuple(found)), tuple(ruled)


def _ordered(handed: Parsed, version: str | None) -> list[Given]:
    """As vLLM gets them: a model on the Hub wins over a directory, but in 0.12."""
    first, second = "--model_id", "--model_dir"
    if version is not None and versions.release_key(version) < versions.release_key("0.13.0"):
        first, second = second, first
    wins = any(given.flag.names[0] == first for given in handed.given)
    return [given for given in handed.given if not (wins and given.flag.names[0] == second)]


def _words(given: Given) -> tuple[Token, ...]:
    name = HANDED.get(given.flag.names[0], "")
    if name:
        return (msgspec.structs.replace(given.name, text=name), *given.values)
    text = given.name.text
    if "=" in text or (text[:2] != "--" and text != given.spelled):  # -tp2
        return (given.name,)
    return (given.name, *given.values)


def _weaker(held: Confidence, chosen: Backend) -> Confidence:
    order: tuple[Confidence, ...] = ("certain", "likely", "possible")
    return order[max(order.index(held), order.index(chosen.confidence))]


def _doubted(one: Observation, chosen: Backend) -> Observation:
    if one.origin != "engine-default" or isinstance(one.value, Unknown):
        return one
    confidence = _weaker(one.confidence, chosen)
    return msgspec.structs.replace(one, confidence=confidence, because=(*one.because, chosen.because))


def _written(observations: Sequence[Observation]) -> Value:
    """The tensor parallel size that the arguments ask for."""
    asked = [one for one in observations if one.fact == "runtime.tensor_parallel_size" and one.origin == "explicit"]
    value = asked[-1].value if asked else 1
    return None if isinstance(value, Unknown) else value


def _ranks(written: Value, version: str | None, chosen: Backend) -> Rule:
    """How many GPUs share a layer: since 0.13 all that the server sees, whatever the arguments say."""

    def compute(facts: Mapping[str, Value]) -> Value | Unknown:
        count, hosts = facts["hardware.gpu.count"], facts.get("orchestration.hosts") or 1
        if not isinstance(count, int) or count == 0:
            return 1 if written is None else written
        return max(count // hosts, 1) if isinstance(hosts, int) else Unknown("how many hosts there are is not known")

    if version is not None and versions.release_key(version) < versions.release_key("0.13.0"):
        return Rule(
            fact="runtime.tensor_parallel_size", needs=(), compute=lambda facts: written, confidence=chosen.confidence,
            because="as the arguments say, else one",
        )  # fmt: skip
    return Rule(
        fact="runtime.tensor_parallel_size",
        needs=("hardware.gpu.count",),
        uses=("orchestration.hosts",),
        compute=compute,
        confidence=chosen.confidence,
        because="huggingfaceserver splits a model over every GPU that it sees, whatever --tensor-parallel-size says",
        location=Location("kserve python/huggingfaceserver/huggingfaceserver/vllm/vllm_model.py"),
    )


def transformers(version: str | None) -> tuple[Rule, ...]:
    """The dtype of the Transformers back end where it is not set, or ``auto``.

    Until 0.14 float16 with a GPU and float32 without; since 0.15 what the model's config names, and that where it names
    none. 0.12 passes none: Transformers loads float32.
    """
    cited = Location(f"kserve {version or 'every release'} python/huggingfaceserver/huggingfaceserver/__main__.py")
    key = versions.release_key(version) if version else ()

    def by_device(facts: Mapping[str, Value]) -> Value | Unknown:
        return "float16" if facts["hardware.gpu.count"] else "float32"

    def by_model(facts: Mapping[str, Value]) -> Value | Unknown:
        return facts["model.config.dtype"] or by_device(facts)

    if version is None:
        return ()
    if key < versions.release_key("0.13.0"):
        because = "Transformers before 5 loads weights as float32 where no dtype is passed"
        return (Rule(fact="runtime.dtype", needs=(), compute=lambda facts: "float32", because=because, location=cited),)
    if key < versions.release_key("0.15.0"):
        because = "huggingfaceserver loads float16 with a GPU and float32 without"
        return (
            Rule(
                fact="runtime.dtype", needs=("hardware.gpu.count",), compute=by_device, because=because, location=cited
            ),
        )
    because = "huggingfaceserver takes the dtype of the model's config"
    needs = ("model.config.dtype", "hardware.gpu.count")
    return (Rule(fact="runtime.dtype", needs=needs, compute=by_model, because=because, location=cited),)


def flag_for(fact: str, version: str | None) -> str | None:
    """vLLM's name of the argument, in the vLLM of a release of KServe."""
    from askew.engines.vllm.engine import ENGINE

    near = versions.nearest("kserve", version)
    vllm = str(near[0].packages["vllm"].value) if near is not None and "vllm" in near[0].packages else None
    return ENGINE.flag_for(fact, vllm)
