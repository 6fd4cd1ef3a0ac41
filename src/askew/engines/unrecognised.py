"""Launches of programs that no engine folder knows: nothing is understood, nothing changes unseen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from askew.engines import web_servers
from askew.engines.interface import Reading
from askew.engines.observe import environment
from askew.evidence.document import Node
from askew.evidence.launch import Content, Launch
from askew.evidence.redaction import shown
from askew.resolve.observation import Observation, Unknown

_FACT = "runtime.arguments.unmapped"


def read(launch: Launch) -> Reading:
    """State every argument as text, keyed by its flag, and the engine-relevant environment.

    The words before the first flag are the entry ``command``; a flag's entry is the words up to the next flag.
    """
    groups: list[tuple[str, list[int]]] = [("command", [])]
    for index, token in enumerate(launch.argv):
        word = token.text
        if word.startswith("-") and len(word) > 1 and not _is_number(word):
            name, _, value = word.partition("=")
            groups.append((name, [index] if value else []))
            if not value:
                groups[-1][1].append(index)
        else:
            groups[-1][1].append(index)
    served = web_servers.read(launch)
    observations: list[Observation] = []
    for order, (name, indexes) in enumerate(groups):
        tokens = [launch.argv[index] for index in indexes]
        if not tokens:
            continue
        words = [token.text for token in tokens]
        if words[0] == name:
            words = words[1:]
        elif words[0].startswith(f"{name}="):
            words[0] = words[0][len(name) + 1 :]
        if name in served.taken:
            continue
        unknown = next((token.unknown for token in tokens if token.unknown), None)
        text = _plain(" ".join(words))
        observations.append(
            Observation(
                fact=_FACT,
                key=name,
                value=Unknown(unknown, text=text) if unknown else text,
                origin="explicit",
                locations=(tokens[0].location,),
                order=order,
            )
        )
        observations.extend(_settings(launch, name, words))
    if not observations:
        observations.append(Observation(fact=_FACT, value={}, origin="explicit", locations=(launch.location,)))
    observations.extend(environment(launch))
    observations.extend(served.observations)
    names = tuple(name for name, _ in groups[1:] if name not in served.taken)
    return Reading(observations=tuple(observations), unmapped=names)


def _settings(launch: Launch, name: str, words: Sequence[str]) -> Iterator[Observation]:
    """What stands in a file that an argument names, as far as a source shows it: each setting as text, by its path in
    the file; a file that is no YAML or JSON map as a digest of its text."""
    for word in words:
        content = launch.file(word)
        if content is None:
            continue
        from askew.evidence.yaml import read as read_yaml

        documents = read_yaml(content.text, word).documents
        nodes = list(_leaves(documents[0].root)) if len(documents) == 1 and documents[0].root.is_mapping else []
        if not nodes:
            from hashlib import sha256

            digest = f"sha256:{sha256(shown(content.text).encode('utf-8', 'surrogatepass')).hexdigest()}"
            yield _setting(content, name, "", digest, 0)
        for node in nodes:
            yield _setting(content, name, node.path, _plain(str(node.text() or "")), node.location.line)


def _setting(content: Content, name: str, path: str, text: str, line: int) -> Observation:
    reason = next((why for part, why in content.unknown.items() if part in text), "")
    place = content.location
    if line and place.line:
        place = msgspec.structs.replace(content.place(line - 1), column=1)
    return Observation(
        fact=_FACT,
        key=f"{name}:{path}" if path else f"{name}:",
        value=Unknown(reason, text=text) if reason else text,
        origin="config-file",
        locations=(place,),
    )


def _leaves(node: Node, depth: int = 0) -> Iterator[Node]:
    if depth < 20 and (node.is_mapping or node.is_sequence):
        for child in [one for _, one in node.items()] if node.is_mapping else node.each():
            yield from _leaves(child, depth + 1)
    elif node.exists:
        yield node


def _plain(text: str) -> str:
    """The text of a value; JSON without what means nothing in it: the order of keys and the space between."""
    if text[:1] not in ("{", "["):
        return text
    import msgspec

    try:
        return msgspec.json.encode(msgspec.json.decode(text), order="sorted").decode()
    except (msgspec.DecodeError, RecursionError):
        return text


def _is_number(word: str) -> bool:
    return word[1:].replace(".", "", 1).isdigit()
