"""The server of llama.cpp, and the one of llama-cpp-python: https://github.com/ggml-org/llama.cpp"""

from __future__ import annotations

from askew.engines.interface import Recognition

# `server` was the program's name until June 2024, too common a word to be recognised without a model file beside it.
# Images called "full" hold all tools: tools.sh starts the server with --server or -s.
RECOGNITION = Recognition(
    name="llama.cpp",
    title="llama.cpp",
    module="askew.engines.llama_cpp.engine",
    hints=("llama", "server", "tools.sh"),
    programs=(
        r"(?:\S*/)?llama-server(?:\.exe|-\w+)?(?= |$)",
        r"(?:\S*/)?llama (?:serve|server)(?= |$)",
        r"(?:\S*/)?server (?=.*(?:\.gguf|--n-gpu-layers|--ctx-size|-ngl |--hf-repo))",
        r"(?:\S*/)?(?:(?:ba)?sh (?:\S*/)?)?tools\.sh (?:--server|-s)(?= |$)",
        r"(?:\S*/)?python[0-9.]* (?:-[A-Za-z]+ )*-m llama_cpp\.server(?= |$)",
        r"(?:\S*/)?uvicorn .*llama_cpp\.server",
    ),
    images=(
        r"(?:^|/)llama\.cpp:(?:\S*-)?server(?=$|[-@:])",
        r"(?:^|/)llama\.cpp:full(?=$|[-@:])",
        r"(?:^|/)(?:llama-server|llama-cpp-server|llamacpp-server|llama\.cpp-server)(?=$|[:@])",
        r"(?:^|/)llama-cpp-python(?=$|[:@])",
    ),
    starts=("llama-server -m /models/a.gguf", "python3 -m llama_cpp.server --model a.gguf"),
    image="ghcr.io/ggml-org/llama.cpp:server-b{}",
    words=("-m", "/models/model.gguf"),
)
