"""Ollama: https://github.com/ollama/ollama"""

from __future__ import annotations

from askew.engines.interface import Recognition

# The image starts `ollama serve`; `ollama run` and `ollama pull` are clients of a server.
RECOGNITION = Recognition(
    name="ollama",
    title="Ollama",
    module="askew.engines.ollama.engine",
    hints=("ollama",),
    programs=(r"(?:\S*/)?ollama (?:serve|start)(?= |$)",),
    images=(r"(?:^|/)ollama/ollama(?=$|[:@])", r"(?:^|/)ollama(?=$|[:@])"),
    starts=("ollama serve",),
    image="ollama/ollama:{}",
    files=("Modelfile", "modelfile", "*.Modelfile", "*.modelfile", "Modelfile.*"),
)
