"""MLflow's model server, and its gateway: https://github.com/mlflow/mlflow"""

from __future__ import annotations

from askew.engines.interface import Recognition

# `mlflow server` keeps runs and models and serves none. An image of `mlflow models build-docker` has a name of its
# owner's and starts Python by its entrypoint.
RECOGNITION = Recognition(
    name="mlflow",
    title="MLflow",
    family="model servers",
    module="askew.engines.mlflow.engine",
    hints=("mlflow",),
    programs=(
        r"(?:(?:\S*/)?python[0-9.]* -m )?(?:\S*/)?mlflow models serve(?= |$)",
        r"(?:\S*/)?mlflow (?:gateway start|deployments start-server)(?= |$)",
        r"(?:\S*/)?python[0-9.]* -c .*from mlflow\.models import container",
        r"(?:\S*/)?(?:uvicorn|gunicorn) (?:.* )?mlflow\.pyfunc\.scoring_server\.(?:app|wsgi):app(?= |$)",
    ),
    images=(),
    starts=("mlflow models serve -m models:/m/1", "mlflow gateway start --config-path gateway.yaml"),
    image="ghcr.io/mlflow/mlflow:v{}",
    words=("mlflow", "models", "serve", "-m", "models:/example/1"),
)
