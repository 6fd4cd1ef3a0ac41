"""BentoML: https://github.com/bentoml/BentoML"""

from __future__ import annotations

from askew.engines.interface import Recognition

# An image that BentoML builds has a name of its owner's, and starts `bentoml serve` by its entrypoint.
RECOGNITION = Recognition(
    name="bentoml",
    title="BentoML",
    family="model servers",
    module="askew.engines.bentoml.engine",
    hints=("bentoml", "bento-server", "/home/bentoml/"),
    programs=(
        r"(?:\S*/)?bentoml (?:serve|serve-http|serve-grpc|start-http-server|start-grpc-server)(?= |$)",
        r"(?:\S*/)?python[0-9.]* -m bentoml (?:serve|serve-http|serve-grpc|start-http-server)(?= |$)",
        r"(?:\S*/)?/home/bentoml/bento/env/docker/entrypoint\.sh (?:bentoml )?(?:serve|serve-http|serve-grpc)(?= |$)",
    ),
    images=(r"(?:^|/)bento-server(?=$|[:@])",),
    starts=("bentoml serve service:svc", "bentoml serve-grpc service:svc"),
    image="bentoml/bento-server:{}",
    words=("bentoml", "serve", "service:svc"),
    files=("bentoml_configuration.yaml", "bentoml_configuration.yml", "bentofile.yaml", "bentofile.yml"),
    shapes=(("api_server", "runners"), ("version", "api_server")),
)
