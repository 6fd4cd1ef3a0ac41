"""What processes does a command line really start, with which words, variables and files? Nothing is ever run."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from askew.evidence.launch import Launch, Token
from askew.evidence.location import Location
from askew.platforms.shell.kubernetes import Expanded, kubernetes_env, kubernetes_expand
from askew.platforms.shell.wrappers import SHELLS, program, special

__all__ = ["kubernetes_env", "kubernetes_expand", "processes"]


def processes(
    launch: Launch, locate: Callable[[Token, str, Location | None], Location] | None = None
) -> tuple[Launch, ...]:
    """The processes that ``launch`` starts, in order; at least one.

    Wrappers (``env``, ``exec``, ``tini``, ``timeout``, ``uv run`` …) are looked through. Launchers that matter
    themselves (``torchrun``, ``mpirun``, ``accelerate launch``) are returned, followed by what they launch. Shell
    scripts are followed, also ones in ``launch.files``. Each result has its own argv, env, files and working directory.

    The text must be what the container gets: ``$(VAR)`` already expanded by ``kubernetes_expand`` where Kubernetes
    starts it, ``$$`` already undone where Compose does.

    ``locate(token, fragment, after)`` finds the next place of ``fragment`` in ``token``'s source text strictly after
    ``after`` (None: from the token's start). Without it every word has its token's location.

    A word made at run time is unknown, with its unexpanded text. ``${NAME:-x}`` is ``x`` when no source sets NAME; a
    plain ``$NAME`` is unknown then, because the image may set it. ``problems`` of every result says what could
    not be read. No text makes this raise or run long: depth, words and steps are bounded.
    """
    argv = launch.argv
    if not argv:
        return (launch,)
    first = argv[0].text
    if launch.implicit_entrypoint:
        # Arguments for an entrypoint that only passes them on, or of an image that has none.
        follow = program(first) in SHELLS and len(argv) > 1
    else:
        follow = special(first) or (bool(launch.files) and first in launch.files)
    if not follow:
        return (_marked(launch),)
    from askew.platforms.shell.interpret import Reader

    return Reader(launch, locate).read()


def _marked(launch: Launch) -> Launch:
    """The launch with words that a template will fill in marked unknown."""
    changed = False
    argv: list[Token] = []
    for token in launch.argv:
        if "{{" in token.text and token.unknown is None:
            from askew.platforms.shell.parse import TEMPLATE, template_reason

            match = TEMPLATE.search(token.text)
            if match is not None:
                token = Token(token.text, token.location, template_reason(match.group()), token.via)
                changed = True
        elif isinstance(token, Expanded):
            token = Token(token.text, token.location, token.unknown, token.via)
            changed = True
        argv.append(token)
    return msgspec.structs.replace(launch, argv=tuple(argv)) if changed else launch
