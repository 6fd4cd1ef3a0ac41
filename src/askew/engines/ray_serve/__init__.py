"""Ray Serve and Ray Serve LLM: https://docs.ray.io/en/latest/serve."""

from askew.engines.interface import Recognition

RECOGNITION = Recognition(
    name="ray-serve",
    title="Ray Serve",
    family="model servers",
    module="askew.engines.ray_serve.engine",
    hints=("serve run", "serve deploy", "ray.serve.llm"),
    programs=(
        r"(?:\S*/)?serve (?:run|deploy)(?= |$)",
        # A model of Ray Serve LLM as the launch that its engine_kwargs amount to.
        r"(?:\S*/)?python[\d.]* -m ray\.serve\.llm(?= |$)",
    ),
    images=(),
    starts=("serve run config.yaml", "python -m ray.serve.llm --model org/model"),
    image="rayproject/ray-llm:{}",
    words=("python", "-m", "ray.serve.llm", "--model", "example/model"),
    shapes=(("applications[].import_path",), ("import_path", "deployments"), ("import_path", "runtime_env")),
)
