"""Triton Inference Server: https://github.com/triton-inference-server/server"""

from __future__ import annotations

from askew.engines.interface import Recognition

# Images whose tag ends in -sdk hold clients. `launch_triton_server.py` of the TensorRT-LLM backend starts one server
# for each rank; so does mpirun by hand.
RECOGNITION = Recognition(
    name="triton",
    title="Triton Inference Server",
    family="model servers",
    module="askew.engines.triton.engine",
    hints=("tritonserver", "launch_triton_server"),
    programs=(
        r"(?:\S*/nvidia_entrypoint\.sh )?(?:\S*/)?tritonserver(?= |$)",
        r"(?:\S*/)?mpirun (?:\S+ )*?(?:\S*/)?tritonserver(?= |$)",
        r"(?:(?:\S*/)?python[\d.]* (?:-u )?)?(?:\S*/)?launch_triton_server\.py(?= |$)",
    ),
    images=(r"(?:^|/)tritonserver(?=$|[:@])(?!:\S*-sdk)",),
    starts=(
        "tritonserver --model-repository=/models",
        "python3 /opt/scripts/launch_triton_server.py --model_repo /models",
    ),
    image="nvcr.io/nvidia/tritonserver:{}",
    words=("tritonserver", "--model-repository=/models"),
    files=("config.pbtxt", "*/[0-9]/model.json"),
)
