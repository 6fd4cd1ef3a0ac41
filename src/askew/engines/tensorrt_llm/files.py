"""Files of TensorRT-LLM: the options file in YAML, ``config.json`` of a built engine. Each value keeps its place."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from askew.engines.observe import Noted, observe, refused
from askew.engines.settings import written_out
from askew.engines.tensorrt_llm.flags import OTHER, Parts, as_text, parts_of, quantization
from askew.evidence.launch import Content
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.resolve.observation import Observation, Origin, Unknown
from askew.resolve.workload import Problem

_LARGEST = 1 << 20  # a megabyte; real files have a few dozen lines
_MOST = 20_000  # values once every alias is written out
_DEEPEST = 12


class Entry(msgspec.Struct, frozen=True):
    """One value of a file: its path of keys joined by dots, and its place."""

    path: str
    value: Value
    where: Location


class Parsed(msgspec.Struct, frozen=True):
    """The values of a file, or the problem that kept it from being read."""

    entries: tuple[Entry, ...] = ()
    problem: Problem | None = None


def parse(content: Content, *, expected: str) -> Parsed:
    """The leaves of a YAML or JSON file, each with its line and column. Never raises on its content.

    Lists are leaves; so is a map without entries, and what lies deeper than real files do.
    """
    text = content.text.replace("\t", " ")  # JSON may be indented by tabs; columns stay as they are
    if len(text) > _LARGEST:
        return Parsed(problem=_unreadable(content.place(0, 0), f"it has {len(text)} characters", expected))
    import yaml

    try:
        loader = yaml.SafeLoader(text)
        try:
            root = loader.get_single_node()
            if root is None:
                return Parsed()
            if not isinstance(root, yaml.MappingNode):
                return Parsed(problem=_unreadable(content.at(root.start_mark), "it holds no map", expected))
            if written_out(root, _MOST) > _MOST:
                place = content.at(root.start_mark)
                return Parsed(problem=_unreadable(place, f"it writes out to more than {_MOST} values", expected))
            return Parsed(tuple(_leaves(root, "", loader, content, 0)))
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        says = getattr(error, "problem", None) or (str(error).splitlines() or [""])[0]
        return Parsed(problem=_unreadable(content.at(mark), str(says), expected))
    except (RecursionError, ValueError, TypeError, OverflowError) as error:
        return Parsed(problem=_unreadable(content.place(0, 0), f"{type(error).__name__}: {error}", expected))


def _unreadable(where: Location, why: str, expected: str) -> Problem:
    return Problem(
        kind="unreadable",
        message=f"TensorRT-LLM cannot read this file: {why}; expected {expected}",
        locations=(where,),
        suggestion=f"write {expected}",
    )


def _leaves(node: object, path: str, loader: object, content: Content, depth: int) -> Iterator[Entry]:
    import yaml

    assert isinstance(node, yaml.MappingNode)
    assert isinstance(loader, yaml.SafeLoader)
    loader.flatten_mapping(node)  # what `<<` merges stands before what is written
    for key, value in node.value:
        name = str(key.value) if isinstance(key, yaml.ScalarNode) else "?"
        below = f"{path}.{name}" if path else name
        if isinstance(value, yaml.MappingNode) and value.value and depth < _DEEPEST:
            yield from _leaves(value, below, loader, content, depth + 1)
        else:
            plain = loader.construct_object(value, deep=True)
            yield Entry(below, _plain(plain), content.at(value.start_mark))


def _plain(value: object) -> Value:
    """JSON data as it is; a date or another object of YAML becomes its text."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    return str(value)


def observed(entry: Entry, parts: Parts, origin: Origin, rank: int | None = None, order: int = 0) -> Noted:
    """The observations of what one value says; of equal keys the last counts."""
    observations: list[Observation] = []
    problems: list[Problem] = []
    for fact, key, raw in parts:
        noted = observe(
            fact, raw, origin=origin, locations=(entry.where,), key=key, text=str(entry.value), name=entry.path,
            engine="TensorRT-LLM", order=order,
        )  # fmt: skip
        observations.extend(noted.observations)
        problems.extend(noted.problems)
    if rank is not None:
        observations = [msgspec.structs.replace(one, rank=rank) for one in observations]
    return Noted(tuple(observations), tuple(problems))


def options(content: Content, *, rank: int | None) -> Noted:
    """The options file: fields of ``LlmArgs``."""
    parsed = parse(content, expected="a YAML map of LlmArgs fields, as in kv_cache_config: {dtype: fp8}")
    if parsed.problem is not None:
        return Noted((), (parsed.problem,))
    observations: list[Observation] = []
    problems: list[Problem] = []
    graphs = False
    for place, entry in enumerate(parsed.entries):
        graphs = graphs or entry.path.startswith("cuda_graph_config.")
        path = entry.path
        try:
            parts = parts_of(path, entry.value)
        except ValueError as error:
            noted = refused(
                OTHER, str(entry.value), str(error), origin="config-file", locations=(entry.where,), key=path,
                name=path, engine="TensorRT-LLM",
            )  # fmt: skip
        else:
            noted = observed(entry, parts, "config-file", rank, place)
        observations.extend(noted.observations)
        problems.extend(noted.problems)
        if graphs and entry.path.startswith("cuda_graph_config."):
            graphs = False
            on = observed(entry, (("runtime.enforce_eager", "", False),), "config-file", rank, place)
            observations.extend(on.observations)
    return Noted(tuple(observations), tuple(problems), mapped=len(parsed.entries))


_BUILT: dict[str, str] = {
    "build_config.max_batch_size": "runtime.max_num_seqs",
    "build_config.max_num_tokens": "runtime.max_num_batched_tokens",
    "build_config.max_seq_len": "runtime.max_model_len",
    "build_config.max_input_len": "runtime.max_input_tokens",
    "build_config.plugin_config.tokens_per_block": "runtime.kv_cache.block_size",
    "build_config.lora_config.max_lora_rank": "runtime.lora.max_rank",
    "pretrained_config.dtype": "runtime.dtype",
    "pretrained_config.mapping.tp_size": "runtime.tensor_parallel_size",
    "pretrained_config.mapping.pp_size": "runtime.pipeline_parallel_size",
    "pretrained_config.max_position_embeddings": "model.context_length",
    "pretrained_config.architecture": "model.architecture",
    "pretrained_config.vocab_size": "model.vocab_size",
}
# What else of a built engine changes how it computes; the rest describes the model, or is its geometry.
_KEPT = ("build_config.", "pretrained_config.mapping.", "pretrained_config.quantization.")
_IGNORED = frozenset(
    (
        *("build_config.profiling_verbosity", "build_config.input_timing_cache", "build_config.output_timing_cache"),
        *("build_config.visualize_network", "build_config.dry_run", "build_config.enable_debug_output"),
        *("pretrained_config.mapping.world_size", "pretrained_config.mapping.gpus_per_node"),
        *("pretrained_config.mapping.rank", "build_config.use_refit", "build_config.monitor_memory"),
    )
)


def built(content: Content) -> Noted:
    """``config.json`` of a built engine: what it was compiled for, which no argument of the server can exceed."""
    parsed = parse(content, expected="the config.json that trtllm-build writes: pretrained_config and build_config")
    if parsed.problem is not None:
        return Noted((), (parsed.problem,))
    observations: list[Observation] = []
    problems: list[Problem] = []
    for place, entry in enumerate(parsed.entries):
        noted = observed(entry, _of_engine(entry.path, entry.value), "config-file", order=place)
        observations.extend(noted.observations)
        problems.extend(noted.problems)
    return Noted(tuple(observations), tuple(problems), mapped=len(parsed.entries))


def _of_engine(path: str, value: Value) -> Parts:
    if path == "version":
        return (("runtime.engine.version", "", value),) if value else ()
    if value is None and path != "pretrained_config.quantization.quant_algo":
        return ()
    if path in _BUILT:
        return ((_BUILT[path], "", value),)
    if path == "pretrained_config.quantization.quant_algo":
        return (("runtime.quantization", "", quantization(value)),)
    if path == "pretrained_config.quantization.kv_cache_quant_algo":
        name = str(value).lower()
        return (("runtime.kv_cache.dtype", "", {"fp8": "float8_e4m3"}.get(name, name)),)
    if path == "build_config.plugin_config.use_paged_context_fmha" and isinstance(value, bool):
        # Without it prompts are neither split nor reused; with it the server decides.
        return () if value else (("runtime.chunked_prefill", "", False), ("runtime.prefix_caching", "", False))
    if path in _IGNORED or not path.startswith(_KEPT) or value in ([], {}, ""):
        return ()
    return ((OTHER, path, as_text(value)),)


def is_engine(content: Content) -> bool:
    """Whether a text looks like the configuration of a built engine."""
    return '"pretrained_config"' in content.text and '"build_config"' in content.text


def unseen(path: str, where: Location, why: str) -> Observation:
    """A file that no source shows may set anything."""
    reason = f"{path} {why}"
    return Observation(
        fact=OTHER, value=Unknown(reason, text=path), origin="explicit", locations=(where,), key="--config"
    )
