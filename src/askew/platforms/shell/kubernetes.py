"""``$(NAME)`` as the kubelet expands it, before any shell sees the text.

Rules: third_party/forked/golang/expansion/expand.go and pkg/kubelet/kubelet_pods.go (makeEnvironmentVariables) of
kubernetes/kubernetes: ``$$`` is one literal ``$`` wherever it stands, an undefined name stays verbatim, a value is
never expanded again, and a variable may only refer to variables declared before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from askew.evidence.launch import Token, Variable
from askew.evidence.location import Location


class Span(msgspec.Struct, frozen=True):
    """A stretch of expanded text and the stretch of the written text that it replaced."""

    start: int
    end: int
    raw_start: int
    raw_end: int
    variable: Variable | None = None


class Expanded(Token, frozen=True):
    """A token that remembers how it was written, so that each word of a script can be shown where it stands."""

    raw: str = ""
    spans: tuple[Span, ...] = ()


def _expand(text: str, env: Mapping[str, Variable]) -> tuple[str, tuple[Span, ...], str]:
    """The expanded text, every stretch that differs from what was written, in order, and the first undefined name."""
    out: list[str] = []
    undefined = ""
    spans: list[Span] = []
    length = at = 0
    while True:
        dollar = text.find("$", at)
        if dollar < 0 or dollar + 1 >= len(text):
            out.append(text[at:])
            return "".join(out), tuple(spans), undefined
        out.append(text[at:dollar])
        length += dollar - at
        following = text[dollar + 1]
        at = dollar + 2
        variable: Variable | None = None
        piece = "$" + following
        if following == "$":
            piece = "$"
        elif following == "(":
            close = text.find(")", at)
            if close >= 0:
                at = close + 1
                piece = text[dollar:at]
                name = text[dollar + 2 : close]
                variable = env.get(name)
                if variable is not None and variable.value is not None:
                    piece = variable.value
                elif variable is None and name.isidentifier():
                    undefined = undefined or name
        if piece != text[dollar:at] or variable is not None:
            spans.append(Span(length, length + len(piece), dollar, at, variable))
        out.append(piece)
        length += len(piece)


def _reason(variable: Variable) -> str | None:
    if variable.value is None:
        return variable.unknown or f"the value of {variable.name} could not be seen"
    return variable.unknown


def _origin(spans: Sequence[Span]) -> tuple[tuple[Location, ...], str | None]:
    via: list[Location] = []
    unknown: str | None = None
    for span in spans:
        if span.variable is None:
            continue
        for place in (span.variable.location, *span.variable.via):
            if place not in via:
                via.append(place)
        unknown = unknown or _reason(span.variable)
    return tuple(via), unknown


def kubernetes_expand(token: Token, env: Mapping[str, Variable]) -> Token:
    """``token`` with every ``$(NAME)`` that ``env`` defines replaced.

    A variable whose value could not be seen stays verbatim and makes the token unknown for the variable's reason. So
    does one that nothing defines, in a single word: the manifest may be a patch (in a script the shell reads it).
    ``via`` gains the places of the variables used.
    """
    if "$" not in token.text:
        return token
    text, spans, undefined = _expand(token.text, env)
    open_name = f"$({undefined}) names a variable that no source seen sets" if undefined else None
    if open_name is not None and any(blank in token.text for blank in " \t\n"):
        open_name = None
    if not spans and open_name is None:
        return token
    via, unknown = _origin(spans)
    unknown = unknown or open_name
    return Expanded(
        text=text,
        location=token.location,
        unknown=token.unknown or unknown,
        via=token.via + tuple(place for place in via if place not in token.via),
        raw=token.text,
        spans=spans,
    )


def kubernetes_env(variables: Sequence[Variable]) -> dict[str, Variable]:
    """A container's environment from its declarations, in the order declared (``envFrom`` first).

    The last of several declarations of a name wins. Only a value written in the declaration itself is expanded: a
    value that came from elsewhere (``via`` is not empty: a ConfigMap, a field reference) is taken as it is, as the
    kubelet does.
    """
    env: dict[str, Variable] = {}
    for variable in variables:
        value = variable.value
        if value is not None and "$" in value and not variable.via:
            text, spans, _ = _expand(value, env)
            if spans:
                via, unknown = _origin(spans)
                variable = Variable(variable.name, text, variable.location, variable.unknown or unknown, via)
        env[variable.name] = variable
    return env
