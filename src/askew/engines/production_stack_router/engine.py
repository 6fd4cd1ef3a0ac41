"""Reads launches of the production stack's router: its arguments, and the engines behind it.

Sources: ``versions/``; ``parsers/parser.py`` and ``service_discovery.py`` of ``src/vllm_router`` at the tags of
https://github.com/vllm-project/production-stack.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

import msgspec

from askew.engines import versions
from askew.engines.arguments import ARGPARSE, Given, Parsed, Table, parse, table
from askew.engines.composed import composed
from askew.engines.interface import Reading
from askew.engines.literal import literals
from askew.engines.observe import identity, read_arguments
from askew.engines.production_stack_router.flags import FLAGS, INERT
from askew.engines.proxies import unsupported
from askew.evidence.launch import Launch, Token
from askew.facts.values.address import host_and_port
from askew.facts.values.image import ImageReference
from askew.resolve.observation import Observation
from askew.resolve.workload import Problem, Upstream

NAME = "production-stack-router"
HOP = NAME
_UNSUPPORTED = unsupported("the router", "runtime.sampling_defaults")
_PASSED_ON = ("serving.request_timeout", "serving.retries", "serving.load_balancing", "serving.session_affinity")


class ProductionStackRouter(msgspec.Struct, frozen=True):
    """The engine. Pure: a launch in, observations out."""

    name: str
    unsupported: dict[str, str]

    def read(self, launch: Launch) -> Reading:
        """See ``Engine.read``."""
        identified, version = identity(NAME, launch, title="the production-stack router", states=_release)
        words = arguments(launch)
        if words is None:
            from askew.engines.unrecognised import read

            return read(launch)
        names = _table(version)
        parsed = parse(words, names)
        file, problems = _dynamic(parsed, launch, names)
        reading = composed(
            launch,
            words,
            names,
            identified=identified,
            version=version,
            own=(),
            inert=INERT,
            defaults=(*file, *_defaults(version)),
        )
        observations = tuple(_at_hop(one) for one in reading.observations)
        return msgspec.structs.replace(
            reading,
            observations=observations,
            problems=(*reading.problems, *problems),
            upstreams=tuple(_upstreams(parsed, observations)),
        )

    def flag_for(self, fact: str, version: str | None) -> str | None:
        """See ``Engine.flag_for``."""
        spread = {
            "serving.load_balancing": "--routing-logic",
            "serving.session_affinity": "--routing-logic",
            "model.served_names": "--static-models",
            "serving.retries": "--max-instance-failover-reroute-attempts",
        }
        names = _table(version).names
        for flag in FLAGS:
            entry = names[flag.names[0]]
            if (flag.fact == fact and not flag.key) or spread.get(fact) == flag.names[0]:
                return flag.names[0] if entry.alive and entry.current else None
        return None


ENGINE = ProductionStackRouter(NAME, _UNSUPPORTED)


def arguments(launch: Launch) -> tuple[Token, ...] | None:
    """The words after the program; None where the words start something else."""
    for index, token in enumerate(launch.argv[:6]):
        last = token.text.rpartition("/")[2]
        if last == "vllm-router" or token.text in ("vllm_router.app", "vllm_router.router"):
            return launch.argv[index + 1 :]
        if last in ("app.py", "router.py") and "vllm_router" in token.text:
            return launch.argv[index + 1 :]
    if not launch.argv or (launch.implicit_entrypoint and launch.argv[0].text.startswith("-")):
        return launch.argv
    return launch.argv if launch.implicit_entrypoint and launch.argv[0].unknown is not None else None


def _release(reference: ImageReference) -> str | None:
    """Tags of the router's images are releases of the chart (``v0.1.5``), or a release and a commit after it."""
    from askew.facts.values.version import image_tag_version

    if reference.repository.rpartition("/")[2] not in ("lmstack-router", "router") or not reference.tag:
        return None
    return image_tag_version(reference.tag)


@functools.lru_cache(maxsize=8)
def _table(version: str | None) -> Table:
    return table(
        FLAGS, ARGPARSE, title="the production-stack router", version=version, releases=versions.releases(NAME)
    )


@functools.lru_cache(maxsize=8)
def _defaults(version: str | None) -> tuple[Observation, ...]:
    """The literal defaults, and the time that the router gives an engine, which no argument sets."""
    found = list(literals(NAME, "the production-stack router", version, FLAGS))
    near, stable = versions.nearest(NAME, version), versions.stable(NAME)
    key = "request timeout"
    if near is not None and key in near[0].arguments:
        entry = near[0].arguments[key]
        value, where, exact = entry.value, near[0].where(entry), near[1]
    elif near is None and stable is not None and key in stable.defaults:
        value, where, exact = stable.defaults[key], stable.where, True
    else:
        return tuple(found)
    found.append(
        Observation(
            fact="serving.request_timeout",
            value=value,
            origin="engine-default",
            locations=(where,),
            confidence="certain" if exact else "likely",
            because=("of chat and text completions; no argument sets it",),
        )
    )
    return tuple(found)


def _at_hop(one: Observation) -> Observation:
    """Its limits are those of one hop among several."""
    if one.fact in ("serving.request_timeout", "serving.retries"):
        return msgspec.structs.replace(one, hop=HOP)
    return one


def _dynamic(parsed: Parsed, launch: Launch, names: Table) -> tuple[tuple[Observation, ...], tuple[Problem, ...]]:
    """What the dynamic configuration file says; the command line wins over it (``parser.set_defaults``)."""
    found: list[Observation] = []
    problems: list[Problem] = []
    for given in parsed.given:
        if given.flag.names[0] not in ("--dynamic-config-yaml", "--dynamic-config-json") or not given.values:
            continue
        content = launch.file(given.values[0].text)
        if content is None:
            continue
        from askew.evidence.yaml import read

        stream = read(content.text, given.values[0].text)
        for error in stream.errors:
            place = content.place(max(error.line - 1, 0), max(error.column - 1, 0))
            problems.append(
                Problem(
                    kind="unreadable",
                    message=f"the router cannot read {given.values[0].text}: {error.message}",
                    locations=(place,),
                    suggestion=error.hint or "a map from argument to value",
                )
            )
        words: list[Token] = []
        for document in stream.documents[:1]:
            for key, node in document.root.items() if document.root.is_mapping else ():
                place = content.place(max(node.location.line - 1, 0), max(node.location.column - 1, 0))
                text = ",".join(name for name, _ in node.items()) if node.is_mapping else node.text()
                if text is not None:
                    words.append(Token(f"--{key.replace('_', '-')}={text}", place))
        noted = read_arguments(parse(words, names), engine=names.title, origin="config-file")
        found.extend(noted.observations)
        problems.extend(noted.problems)
    return tuple(found), tuple(problems)


def _upstreams(parsed: Parsed, observations: Sequence[Observation]) -> Iterator[Upstream]:
    """The engines that the arguments name: static addresses, or the pods that a label selector takes."""
    last: dict[str, Given] = {given.flag.names[0]: given for given in parsed.given}
    passed = tuple(one for one in observations if one.fact in _PASSED_ON)
    discovery, backends = _text(last, "--service-discovery"), last.get("--static-backends")
    if discovery == "static" and backends is not None and backends.values:
        for address in backends.values[0].text.split(","):
            found = host_and_port(address)
            if found is not None:
                yield Upstream(host=found[0], port=found[1], observations=passed, place=backends.values[0].location)
    selector = last.get("--k8s-label-selector")
    if discovery == "k8s" and selector is not None and _text(last, "--k8s-service-discovery-type") != "service-name":
        text = _text(last, "--k8s-label-selector")
        port = _text(last, "--k8s-port") or "8000"
        if text:
            yield Upstream(
                selector=text,
                namespace=_text(last, "--k8s-namespace") or "default",
                port=int(port) if port.isdecimal() and len(port) < 6 else None,
                observations=passed,
                place=selector.values[0].location,
            )


def _text(given: dict[str, Given], name: str) -> str:
    one = given.get(name)
    if one is None or not one.values or one.values[0].unknown is not None:
        return ""
    return one.values[0].text.strip()
