"""Models from the Hugging Face Hub, as engines name them: where they come from, and which revision.

https://huggingface.co/docs/hub/repositories-getting-started: a repository has branches, which move, and commits.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from askew.engines.arguments import places
from askew.evidence.launch import Token
from askew.facts.types import Value
from askew.resolve.observation import Observation, Unknown

_MOVING = frozenset(("", "main", "master", "head", "latest", "refs/heads/main"))


def hub_source(model: str) -> str:
    """Where weights come from, as a URI: Hub names become ``hf://…``; paths and URIs stay."""
    if "://" in model or model.startswith(("/", ".", "~", "$", "{")) or model.count("/") > 1 or not model.strip():
        return model
    return f"hf://{model}"


def named_by(word: Token) -> list[Observation]:
    """The model that a plain word names, where a Hub name is ``organisation/name`` and all else a folder."""
    text = word.text
    hub = "://" not in text and not text.startswith(("/", ".", "~", "$", "{")) and text.count("/") == 1
    value: Value | Unknown = text if word.unknown is None else Unknown(word.unknown, text=text)
    where = value if word.unknown is not None or not hub else f"hf://{text}"
    return [
        Observation(fact="model.id", value=value, origin="explicit", locations=places(word), raw=text),
        Observation(fact="model.source", value=where, origin="explicit", locations=places(word), raw=text),
    ]


def sources(observations: Sequence[Observation]) -> list[Observation]:
    """Where the weights come from, for every statement of which model it is."""
    found = []
    for one in observations:
        if one.fact == "model.id":
            uri = hub_source(one.value) if isinstance(one.value, str) else one.value
            found.append(msgspec.structs.replace(one, fact="model.source", value=uri))
    return found


def pinned(found: Observation) -> Observation:
    """The same observation; a revision whose name moves pins nothing and is unknown."""
    if found.fact == "model.revision" and isinstance(found.value, str) and found.value.lower() in _MOVING:
        moves = Unknown(f"{found.value!r} is a name that moves: it pins no revision", text=found.value)
        return msgspec.structs.replace(found, value=moves)
    return found


def unpinned(observations: Sequence[Observation]) -> tuple[Observation, ...]:
    """What the revision is where none is given: of a model from the Hub whatever its default branch holds at download
    time, of any other there is none."""
    by_fact = {one.fact: one for one in reversed(observations)}
    if "model.revision" in by_fact or "model.source" not in by_fact:
        return ()
    origin = by_fact["model.source"]
    value: Value | Unknown = None
    if isinstance(origin.value, Unknown) or str(origin.value).startswith("hf://"):
        value = Unknown("no revision pinned: the Hub's default branch at download time", "add --revision COMMIT")
    return (Observation(fact="model.revision", value=value, origin="engine-default", locations=origin.locations),)
