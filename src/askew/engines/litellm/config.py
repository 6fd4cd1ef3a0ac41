"""The configuration file of LiteLLM's proxy.

``ProxyConfig.load_config`` of ``litellm/proxy/proxy_server.py``: ``model_list``, ``router_settings``,
``litellm_settings``, ``general_settings``, ``environment_variables``. A value ``os.environ/NAME`` is that variable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from askew.evidence.document import Node
from askew.evidence.launch import Content, Launch, Token, Variable
from askew.evidence.location import Location
from askew.evidence.redaction import is_redacted
from askew.facts.types import Value
from askew.resolve.observation import Unknown
from askew.resolve.workload import Problem

SECTIONS = ("router_settings", "litellm_settings", "general_settings")
_LARGEST = 1 << 20  # a megabyte; real files have a few hundred lines
_MOST = 2000  # deployments that are looked at
_VARIABLE = "os.environ/"


class Setting(msgspec.Struct, frozen=True):
    """One value of the file: plain data, or why it is not known, and where it stands."""

    value: Value | Unknown
    place: Location

    @property
    def number(self) -> float | None:
        """The value as a number of seconds or tries; None for anything else."""
        value = self.value
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                return None
        return None if isinstance(value, bool) or not isinstance(value, (int, float)) else value


class Deployment(msgspec.Struct, frozen=True):
    """One entry of ``model_list``: the name that clients use, and its ``litellm_params``."""

    name: str
    place: Location
    params: Mapping[str, Setting]


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The file, or why it is not known. ``settings`` are its values by ``section.name``."""

    path: str = ""
    deployments: tuple[Deployment, ...] = ()
    settings: Mapping[str, Setting] = {}
    env: Mapping[str, Variable] = {}
    unknown: str = ""
    problems: tuple[Problem, ...] = ()
    place: Location | None = None


def find(launch: Launch, named: Token | None) -> Config:
    """The file that ``--config`` or ``CONFIG_FILE_PATH`` names, or the one that stands alone. Never raises."""
    variable = launch.env.get("CONFIG_FILE_PATH")
    if named is None and variable is not None and variable.value:
        named = Token(variable.value, variable.location, variable.unknown, variable.via)
    if named is not None:
        if named.unknown is not None:
            return Config(unknown=named.unknown, place=named.location)
        content = launch.file(named.text)
        if content is None:
            why = f"{named.text} is not among the files that the sources show"
            return Config(unknown=why, place=named.location)
        return _read(named.text, content, launch)
    if not launch.argv and launch.image is None and len(launch.files) == 1:
        path, content = next(iter(launch.files.items()))
        return _read(path, content, launch)
    bucket = launch.env.get("LITELLM_CONFIG_BUCKET_NAME")
    if bucket is not None:
        return Config(unknown="the configuration lies in a bucket, which no source shows", place=bucket.location)
    return Config()


def _read(path: str, content: Content, launch: Launch) -> Config:
    if len(content.text) > _LARGEST:
        problem = _refuse(path, content, 0, 0, "too large for a configuration", "a file of at most a megabyte")
        return Config(path=path, unknown=f"{path} could not be read", problems=(problem,), place=content.location)
    from askew.evidence.yaml import read

    stream = read(content.text, path)
    problems = [
        _refuse(path, content, max(one.line - 1, 0), max(one.column - 1, 0), one.message, one.hint)
        for one in stream.errors
    ]
    documents = stream.documents
    root = documents[0].root if documents else None
    if not problems and (root is None or not root.is_mapping):
        problems.append(_refuse(path, content, 0, 0, "no map of settings", "model_list and settings as a map"))
    if problems or root is None:
        why = f"{path} could not be read"
        return Config(path=path, unknown=why, problems=tuple(problems), place=content.location)
    env = {**_declared(root["environment_variables"], content), **launch.env}
    settings: dict[str, Setting] = {}
    for section in SECTIONS:
        part = root[section]
        if part and not part.is_mapping:
            at = part.location
            line, column = max(at.line - 1, 0), max(at.column - 1, 0)
            problems.append(_refuse(path, content, line, column, f"{section} is no map", "name: value"))
        for name, node in part.items() if part.is_mapping else ():
            settings[f"{section}.{name}"] = _setting(node, content, env)
    deployments = tuple(_deployments(root["model_list"], content, env, path, problems))
    return Config(
        path=path, deployments=deployments, settings=settings, env=env, problems=tuple(problems),
        place=content.location,
    )  # fmt: skip


def _declared(node: Node, content: Content) -> dict[str, Variable]:
    return {
        name: Variable(name, child.text(), _place(child, content))
        for name, child in (node.items() if node.is_mapping else ())
    }


def _deployments(
    node: Node, content: Content, env: Mapping[str, Variable], path: str, problems: list[Problem]
) -> Iterator[Deployment]:
    if node and not node.is_sequence:
        at = node.location
        line, column = max(at.line - 1, 0), max(at.column - 1, 0)
        problems.append(_refuse(path, content, line, column, "model_list is no list", "- model_name: …"))
    for number, entry in enumerate(node.each() if node.is_sequence else ()):
        if number >= _MOST:
            return
        params = entry["litellm_params"]
        name = entry["model_name"].text()
        if not name or not params.is_mapping:
            at = entry.location
            line, column = max(at.line - 1, 0), max(at.column - 1, 0)
            what = "an entry of model_list without model_name and litellm_params"
            problems.append(_refuse(path, content, line, column, what, "model_name, and litellm_params with model"))
            continue
        found = {key: _setting(child, content, env) for key, child in params.items()}
        yield Deployment(name, _place(entry["model_name"], content), found)


def _setting(node: Node, content: Content, env: Mapping[str, Variable]) -> Setting:
    place = _place(node, content)
    text = node.text() if not (node.is_mapping or node.is_sequence) else None
    hidden = next((why for part, why in content.unknown.items() if part and part in (text or "")), "")
    if hidden:
        return Setting(Unknown(hidden, text=text or ""), place)
    if text is not None and is_redacted(text):
        return Setting(Unknown("the value was taken for a secret and redacted", text=text), place)
    if text is not None and text.startswith(_VARIABLE):
        name = text[len(_VARIABLE) :]
        variable = env.get(name)
        if variable is None or variable.value is None or variable.unknown is not None:
            why = f"the variable {name}, which no source shows" if variable is None else variable.unknown
            return Setting(Unknown(why or f"the value of {name} could not be seen", text=text), place)
        return Setting(variable.value, place)
    return Setting(_plain(node.value), place)


def _plain(value: object, depth: int = 0) -> Value:
    """Plain JSON data out of a node's value."""
    if depth > 20:
        return "…"
    if isinstance(value, Mapping):
        return {str(key): _plain(part, depth + 1) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part, depth + 1) for part in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _place(node: Node, content: Content) -> Location:
    at = node.location
    return content.place(max(at.line - 1, 0), max(at.column - 1, 0))


def _refuse(path: str, content: Content, line: int, column: int, what: str, wanted: str) -> Problem:
    return Problem(
        kind="unreadable",
        message=f"LiteLLM cannot read {path}: {what}",
        locations=(content.place(line, column),),
        suggestion=wanted or "a YAML map with model_list and settings",
    )
