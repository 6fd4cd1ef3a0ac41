"""``docs/reference/cli.md``: the help of every command, as the program prints it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from askew.cli.arguments import COMMANDS, parser
from tools.generate.markdown import GENERATED

PATH = Path(__file__).resolve().parents[2] / "docs" / "reference" / "cli.md"
WIDTH = 100


def render() -> str:
    """The text of the page."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    yield "# Command line"
    yield ""
    yield GENERATED
    yield ""
    yield "What `askew --help` and `askew COMMAND --help` print. [Commands](../commands.md) says when to use which."
    yield ""
    yield from _block(parser(width=WIDTH).format_help())
    for name, (brief, _) in COMMANDS.items():
        yield ""
        yield f"## askew {name}"
        yield ""
        yield brief[0].upper() + brief[1:] + "."
        yield ""
        whole = parser(name, WIDTH)
        (commands,) = (action.choices for action in whole._actions if isinstance(action.choices, dict))
        yield from _block(commands[name].format_help())


def _block(text: str) -> Iterator[str]:
    yield "```text"
    yield text.rstrip()
    yield "```"


OUTPUTS: Mapping[Path, Callable[[], str]] = {PATH: render}
