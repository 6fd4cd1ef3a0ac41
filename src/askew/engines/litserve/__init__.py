"""LitServe: https://github.com/Lightning-AI/LitServe"""

from __future__ import annotations

from askew.engines.interface import Recognition

# A LitServe server is a program of its owner's: it is told by what it imports, where a source shows it. An image that
# `litserve dockerize` builds is called `litserve-model`.
RECOGNITION = Recognition(
    name="litserve",
    title="LitServe",
    family="model servers",
    module="askew.engines.litserve.engine",
    hints=("litserve", "lightning"),
    programs=(r"(?:\S*/)?(?:lightning|litserve) (?:deploy|serve)(?: api)? \S+\.py(?= |$)",),
    images=(r"(?:^|/)litserve(?:-model)?(?=$|[:@])",),
    starts=("lightning deploy server.py", "litserve serve server.py"),
    image="litserve:{}",
    words=("python", "server.py"),
    imports=("litserve",),
)
