"""``--config_file``: settings of llama-cpp-python's server, as JSON or YAML.

``ConfigFileSettings`` of ``llama_cpp/server/settings.py``: server settings at the top, and a list ``models`` of model
settings, of which the first answers requests that name no model. JSON is read as YAML, which it is a part of.
"""

from __future__ import annotations

import msgspec

from askew.evidence.launch import Content, Launch, Token
from askew.evidence.location import Location

_LARGEST = 1 << 20  # a megabyte; real files have a few dozen lines
_EXPECTED = "expected a map of server settings with a list 'models' of maps"
EXPECTED = "write server settings at the top, and the settings of each model in a list: models: [{model: a.gguf}]"


class Setting(msgspec.Struct, frozen=True):
    """One setting: its name, and its value as words at the line that states them."""

    name: Token
    values: tuple[Token, ...]


class ConfigFile(msgspec.Struct, frozen=True, kw_only=True):
    """What a file states, why it is not known, or where and why it is malformed."""

    server: tuple[Setting, ...] = ()
    models: tuple[tuple[Setting, ...], ...] = ()
    unknown: str = ""
    malformed: str = ""
    at: Location | None = None


def read(path: Token, launch: Launch) -> ConfigFile:
    """The settings of the file at ``path``. Never raises on its content."""
    if path.unknown is not None:
        return ConfigFile(unknown=path.unknown)
    content = launch.file(path.text)
    if content is None:
        return ConfigFile(unknown=f"{path.text} is not among the files that the sources show")
    if len(content.text) > _LARGEST:
        return ConfigFile(malformed=f"{path.text} has {len(content.text)} characters: no file of settings")
    import yaml

    try:
        root = yaml.compose(content.text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        why = getattr(error, "problem", None) or type(error).__name__
        return ConfigFile(malformed=f"{path.text} is no valid YAML or JSON: {why}", at=content.at(mark))
    if not isinstance(root, yaml.MappingNode):
        where = content.at(getattr(root, "start_mark", None))
        return ConfigFile(malformed=f"{path.text}: {_EXPECTED}", at=where)
    server: list[Setting] = []
    models: list[tuple[Setting, ...]] = []
    for key, value in root.value:
        if getattr(key, "value", None) != "models":
            server.append(_setting(key, value, content))
            continue
        entries = value.value if isinstance(value, yaml.SequenceNode) else [value]
        for entry in entries:
            if not isinstance(value, yaml.SequenceNode) or not isinstance(entry, yaml.MappingNode):
                where = content.at(entry.start_mark)
                return ConfigFile(malformed=f"{path.text}: {_EXPECTED}", at=where)
            models.append(tuple(_setting(name, one, content) for name, one in entry.value))
    return ConfigFile(server=tuple(server), models=tuple(models))


def _setting(key: object, value: object, content: Content) -> Setting:
    name = Token(str(getattr(key, "value", "")), content.at(getattr(key, "start_mark", None)))
    parts = getattr(value, "value", "")
    nodes = parts if isinstance(parts, list) else [value]
    words = []
    for node in nodes:
        text = getattr(node, "value", "")
        if not isinstance(text, str):
            return Setting(name, (Token("", name.location, f"the value of {name.text} is no plain value or list"),))
        if getattr(node, "tag", "").endswith(":null"):
            continue
        reason = next((why for part, why in content.unknown.items() if part in text), None)
        words.append(Token(text, content.at(getattr(node, "start_mark", None)), reason))
    return Setting(name, tuple(words))
