from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askew.facts.values.errors import ValueNotUnderstood
from askew.facts.values.image import image

DIGEST = "sha256:" + "0a" * 32


@pytest.mark.parametrize(
    ("text", "name", "tag", "digest"),
    [
        ("nginx", "docker.io/library/nginx", None, None),
        ("vllm/vllm-openai:v0.8.5", "docker.io/vllm/vllm-openai", "v0.8.5", None),
        ("docker.io/nginx:1", "docker.io/library/nginx", "1", None),
        ("index.docker.io/library/nginx", "docker.io/library/nginx", None, None),
        ("localhost/x", "localhost/x", None, None),
        ("host:5000/team/x", "host:5000/team/x", None, None),
        ("host:5000/team/x:v1", "host:5000/team/x", "v1", None),
        (f"host:5000/x:v1@{DIGEST}", "host:5000/x", "v1", DIGEST),
        (f"ghcr.io/a/b@{DIGEST}", "ghcr.io/a/b", None, DIGEST),
        (f"docker-pullable://nginx@{DIGEST}", "docker.io/library/nginx", None, DIGEST),
        ("GHCR.io/a/b", "ghcr.io/a/b", None, None),
        ("[::1]:5000/x:v1", "[::1]:5000/x", "v1", None),
        ("a/b/c/d", "docker.io/a/b/c/d", None, None),
        ("a/b__c-d.e:T_1.2-x", "docker.io/a/b__c-d.e", "T_1.2-x", None),
    ],
)
def test_references(text: str, name: str, tag: str | None, digest: str | None) -> None:
    found = image(text)
    assert (found.name, found.tag, found.digest) == (name, tag, digest)
    assert image(str(found)) == found


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("{{ .Values.image }}", "template"),
        ("${REGISTRY:-opea}/x:1", "template"),
        ("$IMAGE", "template"),
        ("us-docker.pkg.dev/<PROJECT>/x", "template"),
        ("x:$(TAG)", "template"),
        ("vllm/VLLM:v1", "lower case"),
        ("x:", "no tag"),
        ("x:-1", "no tag"),
        (f"x:{'a' * 129}", "no tag"),
        ("x@sha256:abc", "no digest"),
        ("x@", "no digest"),
        (DIGEST, "bare digest"),
        ("ko://github.com/x", "ko://"),
        ("a//b", "no part"),
        ("/a", "no part"),
        ("a b", "no part"),
        ("a" * 10_000, "too long"),
        ("http://x/y", "http://"),
        (None, "empty"),
        (3, "empty"),
    ],
)
def test_what_no_runtime_pulls(text: object, why: str) -> None:
    with pytest.raises(ValueNotUnderstood, match=re.escape(why)):
        image(text)


COMPONENT = st.from_regex(r"[a-z0-9]+([._-][a-z0-9]+)*", fullmatch=True).filter(lambda text: len(text) < 30)


@given(
    st.sampled_from(["", "ghcr.io/", "h:5000/", "docker.io/"]),
    # The first part of a Docker Hub name has no dot: with one it would be a registry.
    st.tuples(COMPONENT.filter(lambda text: "." not in text), COMPONENT, COMPONENT),
    st.sampled_from(["", ":v1"]),
    st.sampled_from(["", f"@{DIGEST}"]),
)
def test_references_read_back(registry: str, path: tuple[str, ...], tag: str, digest: str) -> None:
    text = f"{registry}{'/'.join(path)}{tag}{digest}"
    found = image(text)
    assert image(str(found)) == found
    assert str(found).endswith(f"{'/'.join(path[1:])}{tag}{digest}")


@given(st.text())
def test_any_text_is_read_once_or_refused(text: str) -> None:
    try:
        found = image(text)
    except ValueNotUnderstood:
        return
    assert image(str(found)) == found


def test_every_image_in_the_corpus(shared: Path) -> None:
    line = re.compile(r"(?m)^[ -]*\"?image\"?: *[\"']?([a-z0-9][^\s\"'#,]*)")
    seen, refused = set(), set()
    for path in (shared / "corpus" / "files").rglob("*.y*ml"):
        for text in line.findall(path.read_text(errors="replace")):
            seen.add(text)
            try:
                image(text)
            except ValueNotUnderstood:
                refused.add(text)
    assert len(seen) > 300
    # Besides templates, two of them have two tags: a mistake that every runtime refuses.
    assert not {text for text in refused if not re.search(r"[{<$]|^ko://|:[^/]*:", text)}
