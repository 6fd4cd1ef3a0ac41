"""One file written in other ways that mean the same: order, quoting, JSON, what the API server gives back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import yaml

from tests.platforms.kubernetes.apiserver import as_live

Docs = list[Any]


class _Loader(yaml.CSafeLoader):
    """YAML as kubectl reads it: what looks like a date is text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for first, found in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


class _Plain(yaml.CSafeDumper):
    """Without anchors, so that nothing but the style differs."""

    def ignore_aliases(self, data: object) -> bool:
        return True


class _Double(_Plain):
    """Every text in double quotes."""


class _Single(_Plain):
    """Every text in single quotes, or double ones where it must be."""


_Double.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))
_Single.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="'"))


def load(text: str) -> Docs | None:
    """The documents of a text, or None where PyYAML reads none or a document is no mapping."""
    try:
        docs = [doc for doc in yaml.load_all(text, Loader=_Loader) if doc is not None]
    except (yaml.YAMLError, ValueError):
        return None
    return docs if docs and all(isinstance(doc, dict) for doc in docs) else None


def kubernetes(text: str) -> Iterator[tuple[str, str]]:
    """Other spellings of a file of Kubernetes objects, each with its name."""
    docs = load(text)
    if docs is None:
        return
    yield from _respelled(docs)
    if _distinct(docs):
        # Of two objects of one name the later one is applied last, so only distinct ones may change places.
        yield "documents reordered", _yaml(docs[::-1])
        yield "as a List", json.dumps({"apiVersion": "v1", "kind": "List", "items": docs[::-1]}, default=str)
    if all("apiVersion" in doc and "kind" in doc for doc in docs):
        live = [as_live(_text_keys(doc)) for doc in docs]
        yield "as the API server returns it", json.dumps({"apiVersion": "v1", "kind": "List", "items": live})
        yield "as the API server returns it, as YAML", _yaml(live)


def compose(text: str) -> Iterator[tuple[str, str]]:
    """Other spellings of a compose file."""
    docs = load(text)
    if docs is not None and len(docs) == 1:
        yield from _respelled(docs)


def unit(text: str) -> Iterator[tuple[str, str]]:
    """Other spellings of a systemd unit or a quadlet: comments, blank lines, white space around the sign."""
    lines = text.split("\n")
    continued = any(line.rstrip().endswith("\\") for line in lines)
    if not continued:
        yield "commented", "\n".join(f"# a comment\n\n{line}" if line[:1].isalpha() else line for line in lines)
        yield "spaced", "\n".join(line.replace("=", " = ", 1) if line[:1].isalpha() else line for line in lines)
    yield "carriage returns", text.replace("\n", "\r\n")


OF: Mapping[str, Callable[[str], Iterator[tuple[str, str]]]] = {
    "k8s-manifest": kubernetes,
    "live-dump": kubernetes,
    "compose": compose,
    "systemd": unit,
}


def _respelled(docs: Docs) -> Iterator[tuple[str, str]]:
    yield "keys reordered", _yaml([_reversed(doc) for doc in docs])
    yield "keys sorted", yaml.dump_all(docs, Dumper=_Plain, sort_keys=True, width=10_000, allow_unicode=True)
    yield "in double quotes", yaml.dump_all(docs, Dumper=_Double, sort_keys=False, width=80)
    yield "in single quotes", yaml.dump_all(docs, Dumper=_Single, sort_keys=False, width=10_000, allow_unicode=True)
    yield "in flow style", yaml.dump_all(docs, Dumper=_Plain, sort_keys=False, default_flow_style=True, width=60)
    yield "folded at 40 columns", yaml.dump_all(docs, Dumper=_Plain, sort_keys=False, width=40)
    if len(docs) == 1:
        yield "as JSON", json.dumps(docs[0], default=str)
        yield "as indented JSON", json.dumps(docs[0], default=str, indent=4, ensure_ascii=False)


def _yaml(docs: Docs) -> str:
    return yaml.dump_all(docs, Dumper=_Plain, sort_keys=False, width=10_000, allow_unicode=True)


def _reversed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _reversed(part) for key, part in reversed(value.items())}
    if isinstance(value, list):
        return [_reversed(part) for part in value]
    return value


def _text_keys(value: Any) -> Any:
    """The server knows text as keys only."""
    if isinstance(value, dict):
        return {key if isinstance(key, str) else json.dumps(key): _text_keys(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_text_keys(part) for part in value]
    return value


def _distinct(docs: Docs) -> bool:
    names = []
    for doc in docs:
        metadata = doc.get("metadata")
        metadata = metadata if isinstance(metadata, dict) else {}
        names.append((doc.get("apiVersion"), doc.get("kind"), metadata.get("namespace"), metadata.get("name")))
    return len(set(map(str, names))) == len(names)
