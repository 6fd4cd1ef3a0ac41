"""``--config file.yaml``: a file whose keys are arguments.

vLLM inserts the file's arguments before those of the command line, so that the command line wins
(``FlexibleArgumentParser.load_config_file``). Only the two-word form is read: ``--config=file`` is accepted and
ignored.
"""

from __future__ import annotations

import msgspec

from askew.engines.arguments import Table
from askew.evidence.launch import Launch, Token
from askew.evidence.location import Location

_LARGEST = 1 << 20  # a megabyte; real files have a few dozen lines
_MOST = 20_000  # values once every alias is written out


EXPECTED = "write a map from argument to value: max-model-len: 8192"


class ConfigFile(msgspec.Struct, frozen=True):
    """The words that a file stands for, or why they are not known; ``at`` is the place where it is malformed."""

    words: tuple[Token, ...] = ()
    unknown: str = ""
    malformed: str = ""
    at: Location | None = None


def read(path: Token, launch: Launch, table: Table) -> ConfigFile:
    """The arguments of the file at ``path``, as words at the lines that state them. Never raises on its content."""
    if path.unknown is not None:
        return ConfigFile(unknown=path.unknown)
    content = launch.file(path.text)
    if content is None:
        return ConfigFile(unknown=f"{path.text} is not among the files that the sources show")
    if len(content.text) > _LARGEST:
        large = f"{path.text} has {len(content.text)} characters: no file of arguments"
        return ConfigFile(malformed=large, at=content.location)
    import yaml

    from askew.engines.settings import written_out

    try:
        loader = yaml.SafeLoader(content.text)
        try:
            root = loader.get_single_node()
            if root is None:
                return ConfigFile()
            if not isinstance(root, yaml.MappingNode):
                where = content.at(root.start_mark)
                return ConfigFile(malformed=f"{path.text} must hold a map from argument to value", at=where)
            if written_out(root, _MOST) > _MOST:
                vast = f"{path.text} holds aliases that write out to more than {_MOST} values"
                return ConfigFile(malformed=vast, at=content.location)
            words: list[Token] = []
            for key, value in root.value:
                where = content.at(key.start_mark)
                words.extend(
                    _words(
                        str(loader.construct_object(key, deep=True)),
                        loader.construct_object(value, deep=True),
                        where,
                        table,
                    )
                )
            return ConfigFile(words=tuple(words))
        finally:
            loader.dispose()
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
        mark = getattr(error, "problem_mark", None)
        why = getattr(error, "problem", None) or (str(error).splitlines() or [""])[0] or type(error).__name__
        where = content.at(mark) if mark is not None else content.location
        return ConfigFile(malformed=f"{path.text} is not valid YAML: {why}", at=where)


def _words(key: str, value: object, where: Location, table: Table) -> list[Token]:
    name = Token(f"--{key}", where)
    if isinstance(value, bool):
        off = Token(f"--no-{key}", where)
        return [name] if value else [off] if off.text.replace("_", "-") in table.names else []
    if isinstance(value, list):
        return [name, *(Token(str(item), where) for item in value)] if value else []
    if isinstance(value, dict):
        return [name, Token(msgspec.json.encode(value).decode(), where)]
    return [name, Token(str(value), where)]
