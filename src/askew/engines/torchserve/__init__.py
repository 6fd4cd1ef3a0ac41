"""TorchServe: https://github.com/pytorch/serve"""

from __future__ import annotations

from askew.engines.interface import Recognition

# The project's images and KServe's build of them start it themselves, and so do AWS's containers for inference.
RECOGNITION = Recognition(
    name="torchserve",
    title="TorchServe",
    family="model servers",
    module="askew.engines.torchserve.engine",
    hints=("torchserve", "pytorch.serve", "pytorch-inference"),
    programs=(
        r"(?:\S*/)?torchserve(?= |$)(?!.* --(?:stop|version)(?: |$))",
        r"(?:\S*/)?java (?:.* )?org\.pytorch\.serve\.ModelServer(?= |$)",
        r"(?:\S*/)?python[0-9.]* -m ts\.model_server(?= |$)",
    ),
    images=(
        r"(?:^|/)torchserve(?:-kfs|-nightly|-kfs-nightly)?(?=$|[:@])",
        r"(?:^|/)pytorch-inference(?:-\w+)?(?=$|[:@])",
    ),
    starts=(
        "torchserve --start --model-store /models --models all",
        "java -cp ts.jar org.pytorch.serve.ModelServer -s /models",
    ),
    image="pytorch/torchserve:{}-cpu",
    words=("torchserve", "--start", "--foreground"),
    files=("config.properties", "config-*.properties", "sagemaker*config.properties", "torchserve*.properties",
           "model-config.yaml", "model-config.yml"),
    shapes=(("minWorkers", "maxWorkers"), ("batchSize", "maxBatchDelay"), ("parallelType", "torchrun")),
    # Kafka and many others have a config.properties, and many trainings a model-config.yaml.
    marks=("inference_address", "management_address", "metrics_address", "model_store", "load_models",
           "default_workers_per_model", "default_response_timeout", "job_queue_size", "number_of_netty_threads",
           "number_of_gpu", "enable_envvars_config", "install_py_dep_per_model", "grpc_inference", "metrics_mode",
           "enable_metrics_api", "disable_token_authorization", "cors_allowed_origin", "max_request_size",
           "minWorkers", "maxWorkers", "batchSize", "maxBatchDelay", "responseTimeout", "deviceType", "parallelType",
           "torchrun", "pippy", "deepspeed", "startupTimeout", "asyncCommunication", "parallelLevel", "pt2"),
)  # fmt: skip
