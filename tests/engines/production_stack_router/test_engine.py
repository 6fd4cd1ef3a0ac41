"""Reading launches of the production stack's router: arguments, defaults, and the engines behind it."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from askew.app.load import load
from askew.engines import versions
from askew.engines.production_stack_router.engine import ENGINE, _table
from askew.engines.production_stack_router.flags import FLAGS
from askew.evidence.launch import Content, Launch, Token
from askew.evidence.location import Location
from askew.evidence.redaction import Redactor
from askew.resolve.resolve import resolve
from askew.resolve.workload import Resolved
from tests.engines.test_sglang_tgi_corpus import unknown_share

AT = Location("deploy.yaml", line=10)
STATIC = "--service-discovery static --static-backends http://a:8000,http://b.prod.svc:9000/v1 --static-models m,m"


def launch_of(command: str, image: str = "lmcache/lmstack-router:v0.1.12", files: Mapping[str, str] = {}) -> Launch:
    return Launch(
        argv=tuple(Token(word, AT) for word in shlex.split(command)),
        location=AT,
        image=Token(image, AT) if image else None,
        implicit_entrypoint=bool(image),
        files={path: Content(text, Location(path, line=1)) for path, text in files.items()},
    )


def facts(command: str, **rest: object) -> dict[str, Resolved]:
    reading = ENGINE.read(launch_of(command, **rest))  # type: ignore[arg-type]
    return resolve(reading.observations, reading.rules)


@pytest.mark.parametrize(
    ("words", "fact", "value"),
    [
        ("--port 8080", "serving.port", 8080),
        ("", "serving.port", 8001),
        ("--host 127.0.0.1", "serving.listen_host", "127.0.0.1"),
        ("--routing-logic roundrobin", "serving.load_balancing", "round_robin"),
        ("--routing-logic=prefixaware", "serving.load_balancing", "prefix_aware"),
        ("--routing-logic session --session-key x-user-id", "serving.load_balancing", "consistent_hash"),
        ("--routing-logic session --session-key x-user-id", "serving.session_affinity", True),
        ("--routing-logic kvaware", "serving.load_balancing", "kvaware"),
        (STATIC, "model.served_names", ["m"]),
        ("--max-instance-failover-reroute-attempts 2", "serving.retries", {"production-stack-router": {"attempts": 3}}),
        ("", "serving.request_timeout", "unlimited"),
    ],
)
def test_arguments(words: str, fact: str, value: object) -> None:
    assert facts(words)[fact].value == value


def test_the_time_for_an_engine_is_cited_where_the_release_sets_it() -> None:
    found = facts("--port 1", image="lmcache/lmstack-router:v0.1.9")["serving.request_timeout"]
    assert (found.value, found.origin, found.confidence) == ("unlimited", "engine-default", "certain")
    assert "src/vllm_router/" in found.locations[0].source
    assert facts("", image="lmcache/lmstack-router:latest")["serving.request_timeout"].value == "unlimited"


@pytest.mark.parametrize(
    ("image", "release"),
    [
        ("lmcache/lmstack-router:v0.1.5", "0.1.5"),
        ("ghcr.io/vllm-project/production-stack/router:0.1.5", "0.1.5"),
        ("lmcache/lmstack-router:latest", None),
    ],
)
def test_releases(image: str, release: str | None) -> None:
    assert ENGINE.read(launch_of("", image)).version == release


def test_a_default_that_is_spelled_out_is_no_difference() -> None:
    short, long = (
        facts("--routing-logic roundrobin"),
        facts(
            "--routing-logic roundrobin --engine-stats-interval 30 --request-stats-window 60 --k8s-port 8000 "
            "--host 0.0.0.0"
        ),
    )
    for fact in short.keys() | long.keys():
        assert short[fact].value == long[fact].value, fact


def test_the_engines_behind_it() -> None:
    found = ENGINE.read(launch_of(STATIC)).upstreams
    assert [(up.host, up.port) for up in found] == [("a", 8000), ("b.prod.svc", 9000)]
    pods = ENGINE.read(launch_of("--service-discovery k8s --k8s-namespace prod --k8s-label-selector app=vllm"))
    assert [(up.selector, up.namespace, up.port) for up in pods.upstreams] == [("app=vllm", "prod", 8000)]
    assert not ENGINE.read(launch_of("--service-discovery k8s")).upstreams  # every pod of the namespace


def test_a_dynamic_configuration_loses_to_the_command_line() -> None:
    text = (
        "routing_logic: session\nsession_key: x-user\nport: 9000\nstatic_models:\n  llama:\n    static_backends: []\n"
    )
    words = "--dynamic-config-yaml /etc/router.yaml --port 8000"
    found = facts(words, files={"/etc/router.yaml": text})
    assert found["serving.port"].value == 8000
    assert found["serving.load_balancing"].value == "consistent_hash"
    assert found["serving.load_balancing"].locations == (Location("/etc/router.yaml", line=1, column=16),)
    assert found["model.served_names"].value == ["llama"]


def test_a_broken_dynamic_configuration_is_an_error_at_its_line() -> None:
    launch = launch_of("--dynamic-config-yaml /c.yaml", files={"/c.yaml": "port: 1\nrouting_logic: [\n"})
    problem = next(one for one in ENGINE.read(launch).problems if one.kind == "unreadable")
    assert problem.locations[0].source == "/c.yaml"
    assert problem.locations[0].line >= 2


def test_every_argument_of_every_release_is_in_the_table() -> None:
    past = versions.history("production-stack-router")
    assert past is not None
    known = {name for flag in FLAGS for name in flag.names}
    assert {name for name in past.arguments if name.startswith("--")} <= known
    for flag in FLAGS:
        spans = past.spans(flag.names[0])
        if spans:
            assert (flag.since, flag.until) == spans[0], flag.names[0]


def test_arguments_of_the_corpus_are_known(shared: Path) -> None:
    found: Counter[str] = Counter()
    for path in sorted((shared / "corpus" / "files").rglob("*.yaml")):
        text = path.read_text(encoding="utf-8", errors="replace")
        if "lmstack-router" not in text and "vllm_router.app" not in text and "vllm-router" not in text:
            continue
        side = load(str(path), "target", Redactor())
        for snapshot in side.snapshots:
            if snapshot.engine is not None and snapshot.engine.name == "production-stack-router" and snapshot.launch:
                reading = ENGINE.read(snapshot.launch)
                found["mapped"] += reading.mapped
                found.update(reading.unmapped)
    assert found["mapped"] >= 20, "the corpus has manifests of the router"
    unknown = [name for name in found if name != "mapped"]
    assert not unknown
    assert unknown_share(Counter({"--port": 1}), _table(None))[0] == 0
