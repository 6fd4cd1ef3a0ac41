"""nginx in front of an engine, by its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.app.load import load
from askew.evidence.launch import Content, Launch, Token
from askew.evidence.location import Location
from askew.evidence.redaction import Redactor
from askew.facts.types import Value
from askew.platforms.nginx import seconds, upstreams
from askew.resolve.observation import Observation, Unknown

AT = Location("pod.yaml", line=3)
MAIN = "/etc/nginx/nginx.conf"


def launch(files: Mapping[str, str], image: str = "nginx:1.27", words: tuple[str, ...] = ()) -> Launch:
    return Launch(
        argv=tuple(Token(word, AT) for word in words),
        location=AT,
        image=Token(image, AT),
        implicit_entrypoint=True,
        files={path: Content(text, Location(path, line=1)) for path, text in files.items()},
    )


def met(config: str, path: str = MAIN, host: str = "vllm") -> dict[str, Observation]:
    found = [up for up in upstreams(launch({path: config})) if up.host == host]
    return {one.fact: one for up in found for one in up.observations}


def http(body: str) -> str:
    return f"events {{}}\nhttp {{\n{body}\n}}\n"


@pytest.mark.parametrize(
    ("directives", "fact", "value"),
    [
        ("proxy_read_timeout 300s;", "serving.read_timeout", 300),
        ("proxy_read_timeout 5m;", "serving.read_timeout", 300),
        ("proxy_read_timeout 1h 30m;", "serving.read_timeout", 5400),
        ("", "serving.read_timeout", 60),
        ("client_max_body_size 0;", "serving.max_body.bytes", "unlimited"),
        ("client_max_body_size 20m;", "serving.max_body.bytes", 20 << 20),
        ("", "serving.max_body.bytes", 1 << 20),
        ("proxy_buffering off;", "serving.buffering", False),
        ("", "serving.buffering", True),
        ("keepalive_timeout 65 60;", "serving.idle_timeout", 65),
        ("", "serving.idle_timeout", 75),
    ],
)
@pytest.mark.parametrize("level", ["http", "server", "location"])
def test_directives_at_every_level(directives: str, fact: str, value: Value, level: str) -> None:
    outer, middle, inner = ((directives if level == one else "") for one in ("http", "server", "location"))
    config = http(f"{outer} server {{ {middle} location / {{ {inner} proxy_pass http://vllm:8000; }} }}")
    found = met(config)[fact]
    assert found.value == value
    assert found.origin == ("config-file" if directives else "platform-default")
    assert found.confidence == "certain"
    assert found.locations[0].source == MAIN if directives else "nginx/nginx" in found.locations[0].source


def test_an_inner_directive_replaces_an_outer_one_and_points_at_its_line() -> None:
    config = http(
        "proxy_read_timeout 10s;\nserver {\n  location / {\n    proxy_read_timeout 20s;\n"
        "    proxy_pass http://vllm:8000;\n  }\n}"
    )
    found = met(config)["serving.read_timeout"]
    assert (found.value, found.locations[0].line) == (20, 6)


def test_included_files_and_those_of_the_image() -> None:
    server = "server { location / { proxy_pass http://vllm:8000; proxy_read_timeout 7s; } }"
    files = {MAIN: http("include /etc/nginx/conf.d/*.conf;"), "/etc/nginx/conf.d/llm.conf": server}
    (found,) = upstreams(launch(files))
    assert found.observations[0].value == 7
    alone = met(server.replace("proxy_read_timeout 7s;", ""), "/etc/nginx/conf.d/default.conf")["serving.read_timeout"]
    assert (alone.value, alone.confidence) == (60, "likely")  # the image's nginx.conf may say otherwise


def test_groups_of_servers() -> None:
    config = http(
        "upstream engines { least_conn; server a:8000 max_fails=3; server b:8000; server c:8000; }\n"
        "server { location /v1/ { proxy_pass http://engines; proxy_next_upstream_tries 2; } }"
    )
    found = upstreams(launch({MAIN: config}))
    assert [(up.host, up.port, up.part) for up in found] == [
        ("a", 8000, "/v1/"),
        ("b", 8000, "/v1/"),
        ("c", 8000, "/v1/"),
    ]
    by_fact = {one.fact: one.value for one in found[0].observations}
    assert by_fact["serving.load_balancing"] == "least_request"
    assert by_fact["serving.retries"] == {"attempts": 2, "on": ["error", "timeout"]}


def test_locations_that_carry_no_answer_are_left_out() -> None:
    config = http(
        "server { location = /health { proxy_pass http://vllm:8000; proxy_read_timeout 1s; }\n"
        "location / { proxy_pass http://vllm:8000; } }"
    )
    assert met(config)["serving.read_timeout"].value == 60


@pytest.mark.parametrize(
    ("image", "words"), [("org/app:1", ()), ("nginx:1", ("/bin/app",)), ("nginx/nginx-prometheus-exporter:1", ())]
)
def test_what_is_no_nginx(image: str, words: tuple[str, ...]) -> None:
    config = http("server { location / { proxy_pass http://vllm:8000; } }")
    assert upstreams(launch({MAIN: config}, image, words)) == ()


def test_a_variable_is_not_guessed() -> None:
    assert met(http("server { location / { proxy_pass http://$backend; } }")) == {}
    found = met(http("server { proxy_read_timeout ${LIMIT}; location / { proxy_pass http://vllm:8000; } }"))
    assert isinstance(found["serving.read_timeout"].value, Unknown)


@pytest.mark.parametrize(
    "text",
    [
        "", "}", "{" * 5000, "server { location / { proxy_pass http://vllm:8000;", '"', "a" * 100_000, "include *;",
        "http { include nginx.conf; server { location / { proxy_pass http://vllm:8000; } } }", "\x00;\x00{",
        "a;" * 50_000, "include nginx.conf; " * 500,
    ],
)  # fmt: skip
def test_hostile_text_ends(text: str) -> None:
    upstreams(launch({MAIN: text}))


@given(st.text(alphabet="abp{};# \n'\"\\$/:08", max_size=300))
def test_no_text_makes_reading_fail(text: str) -> None:
    upstreams(launch({MAIN: text}))


@given(st.integers(0, 10**6))
def test_a_bare_number_counts_seconds(number: int) -> None:
    assert seconds(str(number)) == number == seconds(f"{number}s")
    assert seconds(f"{number * 1000}ms") == number


def test_a_sidecar_is_a_hop_of_the_engine_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "pod.yaml"
    path.write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  nginx.conf: |\n"
        "    http { server { location / { proxy_pass http://127.0.0.1:8000; proxy_read_timeout 9s; } } }\n"
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: llm}\nspec:\n  template:\n    spec:\n"
        "      containers:\n      - {name: nginx, image: 'nginx:1', volumeMounts: [{name: c, mountPath: /etc/nginx}]}\n"
        "      - {name: vllm, image: 'vllm/vllm-openai:v0.8.5', args: [--model, org/model]}\n"
        "      volumes: [{name: c, configMap: {name: c}}]\n",
        encoding="utf-8",
    )
    (snapshot,) = load(str(path), "target", Redactor()).snapshots
    assert snapshot.engine is not None
    found = snapshot.facts["serving.read_timeout"]
    assert (found.value, found.hops[0].name) == (9, "Deployment llm (nginx)")
