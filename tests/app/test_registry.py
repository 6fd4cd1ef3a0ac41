"""Finding the engine of a launch: by its program, then by its image; and never for what only looks like one."""

from __future__ import annotations

import re

import pytest

from askew.app import registry
from askew.evidence.launch import Launch, Token
from askew.evidence.location import Location

AT = Location(source="deploy.yaml", line=1, column=1)


def launch(words: str, image: str = "", implicit: bool = False) -> Launch:
    argv = tuple(Token(text=word, location=AT) for word in words.split())
    return Launch(
        argv=argv, location=AT, image=Token(text=image, location=AT) if image else None, implicit_entrypoint=implicit
    )


@pytest.mark.parametrize(
    ("given", "engine"),
    [
        (launch("vllm serve m"), "vllm"),
        (launch("python3 -m vllm.entrypoints.openai.api_server --model m", "ubuntu:24.04"), "vllm"),
        (launch("--model m", "vllm/vllm-openai:v0.8.5", implicit=True), "vllm"),
        (launch("", "vllm/vllm-openai:v0.8.5", implicit=True), "vllm"),
        (launch("python3 -m sglang.launch_server --model-path m", "lmsysorg/sglang:latest", implicit=True), "sglang"),
        (launch("python3 -m sglang_router.launch_router", "lmsysorg/sglang:latest", implicit=True), None),
        (launch("text-generation-launcher --model-id m"), "tgi"),
        (launch("sleep infinity", "vllm/vllm-openai:v0.8.5"), None),
        (launch("nginx -g daemon"), None),
    ],
)
def test_the_program_decides_and_the_image_where_it_names_none(given, engine):
    assert registry.recognise(given) == engine


def test_every_hint_is_plain_text_and_every_pattern_compiles():
    for name in registry.engine_names():
        known = registry.recognition(name)
        assert known.hints, name
        for pattern in (*known.programs, *known.images):
            re.compile(pattern)
