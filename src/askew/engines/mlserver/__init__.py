"""MLServer: https://github.com/SeldonIO/MLServer"""

from __future__ import annotations

from askew.engines.interface import Recognition

# The image runs `mlserver start $MLSERVER_MODELS_DIR`. `settings.json` is a name that anything may have: it is read
# beside a launch, or alone where its keys are MLServer's.
RECOGNITION = Recognition(
    name="mlserver",
    title="MLServer",
    family="model servers",
    module="askew.engines.mlserver.engine",
    hints=("mlserver",),
    programs=(
        r"(?:\S*/)?mlserver start(?= |$)",
        r"(?:\S*/)?python[0-9.]* -m mlserver(?:\.cli(?:\.main)?)? start(?= |$)",
    ),
    images=(r"(?:^|/)mlserver(?:-[\w.]+)?(?=$|[:@])",),
    starts=("mlserver start /mnt/models",),
    image="seldonio/mlserver:{}",
    files=("model-settings.json",),
    shapes=(("name", "implementation", "parameters"), ("http_port", "grpc_port"), ("parallel_workers", "debug")),
)
