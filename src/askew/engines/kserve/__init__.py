"""KServe's own model servers: https://kserve.github.io/website."""

from askew.engines.interface import Recognition

_SERVER = r"(?:huggingface|sklearn|xgb|lgb|pmml|paddle|predictive|autogluon)server"

RECOGNITION = Recognition(
    name="kserve",
    title="KServe",
    family="model servers",
    module="askew.engines.kserve.engine",
    hints=("eserver", "nserver", "bserver", "lserver"),  # how the names of the servers end
    programs=(rf"(?:\S*/)?python[\d.]*(?: -[A-Za-z]+)* -m {_SERVER}(?= |$)",),
    images=(rf"(?:^|/)(?:kserve-)?{_SERVER}(?=$|[:@])",),
    starts=("python3 -m huggingfaceserver", "python -m sklearnserver"),
    image="kserve/huggingfaceserver:v{}-gpu",
    words=("--model_name=example", "--model_id=example/model", "--backend=vllm"),
)
