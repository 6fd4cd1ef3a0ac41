"""TensorFlow Serving: https://github.com/tensorflow/serving"""

from __future__ import annotations

from askew.engines.interface import Recognition

# The image's entrypoint starts `tensorflow_model_server` with its own arguments before those it is given.
RECOGNITION = Recognition(
    name="tf-serving",
    title="TF Serving",
    family="model servers",
    module="askew.engines.tf_serving.engine",
    hints=("tensorflow_model_server", "tensorflow-serving", "tensorflow/serving", "tf_serving_entrypoint"),
    programs=(r"(?:\S*/)?(?:tensorflow_model_server|tf_serving_entrypoint\.sh)(?= |$)",),
    images=(r"(?:^|/)tensorflow/serving(?=$|[:@])", r"(?:^|/)tensorflow-serving(?=$|[:@])"),
    starts=("tensorflow_model_server --model_name=model --model_base_path=/models/model",),
    image="tensorflow/serving:{}",
    files=("batching_parameters.txt", "batching_params.pbtxt"),
)
