"""The words of ``serve run`` and ``serve deploy``.

Source: ``ray/serve/scripts.py`` of the releases at https://pypi.org/project/ray/#history; the words are read by click.
"""

from __future__ import annotations

import functools
import posixpath

from askew.engines.arguments import Dialect, Table, parse, places, table
from askew.engines.flags import Flag
from askew.engines.observe import Noted, read_arguments
from askew.evidence.launch import Launch
from askew.resolve.observation import Observation, Unknown

OTHER = "runtime.arguments.unmapped"
# https://click.palletsprojects.com: exact names, `--x v` and `--x=v`.
_CLICK = Dialect(name="click", abbreviations=False, negative_numbers=False, spaced_is_word=False)
_WHERE = "It says which cluster is asked, or where its code lies."
_FLAGS = (
    Flag(names=("--host", "-h"), fact="serving.listen_host", until="2.10.0"),
    Flag(names=("--port", "-p"), fact="serving.port", until="2.10.0"),
    Flag(names=("--route-prefix",), fact=OTHER, key="--route-prefix"),
    Flag(names=("--name",), fact=OTHER, key="--name"),
    Flag(names=("--runtime-env",), fact=OTHER, key="--runtime-env"),
    Flag(names=("--runtime-env-json",), fact=OTHER, key="--runtime-env-json"),
    Flag(names=("--working-dir",), fact=OTHER, key="--working-dir"),
    Flag(names=("--app-dir", "-d"), irrelevant=_WHERE),
    Flag(names=("--address", "-a"), irrelevant=_WHERE),
    Flag(names=("--blocking/--non-blocking", "--blocking"), takes="switch", irrelevant="The command waits, or not."),
    Flag(names=("--non-blocking",), takes="switch", irrelevant="The command waits, or not."),
    Flag(names=("--reload", "-r"), takes="switch", irrelevant="The command watches its own code."),
    Flag(names=("--gradio",), takes="switch", irrelevant="The command opens a page for trying it out."),
)


@functools.lru_cache(maxsize=1)
def _table() -> Table:
    return table(_FLAGS, _CLICK, title="serve")


def read(launch: Launch) -> Noted:
    """What the words say: the application, its arguments and the options. A configuration file is read elsewhere."""
    argv = launch.argv
    if len(argv) < 2 or posixpath.basename(argv[0].text) != "serve" or argv[1].text not in ("run", "deploy"):
        return Noted()
    parsed = parse(argv[2:], _table())
    noted = read_arguments(parsed, engine="serve")
    found = list(noted.observations)
    for index, word in enumerate(parsed.positionals):
        if index == 0 and launch.file(word.text) is not None:
            continue
        key, equals, text = word.text.partition("=")
        name = "application" if index == 0 else key if equals else word.text
        value = text if index and equals else word.text
        if not name:
            continue
        found.append(
            Observation(
                fact=OTHER,
                key=name,
                value=Unknown(word.unknown, text=word.text) if word.unknown else value,
                origin="explicit",
                locations=places(word),
                order=index,
            )
        )
    return Noted(tuple(found), noted.problems, noted.mapped, noted.unmapped)
