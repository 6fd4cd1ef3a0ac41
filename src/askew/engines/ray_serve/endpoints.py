"""What the dashboard of a Ray cluster answers of the applications that Ray Serve runs (port 8265, unless it is set).

Source: https://docs.ray.io/en/latest/serve/api/index.html#serve-rest-api: each application has the configuration with
which it was deployed, which is read as the file is. What nobody wrote there is not what is compared.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from askew.engines.live import Answers, Ask, Endpoints
from askew.engines.ray_serve.config import read as read_config
from askew.engines.reported import named, reported, root
from askew.evidence.document import Node
from askew.evidence.launch import Content
from askew.evidence.location import Location
from askew.resolve.observation import Observation

_APPLICATIONS, _VERSION = "/api/serve/applications/", "/api/version"
_HTTP = ("host", "port", "root_path", "request_timeout_s", "keep_alive_timeout_s")
_OF_PROXY = ("serving.port", "serving.listen_host", "serving.request_timeout", "serving.idle_timeout")


def _asks(answers: Answers) -> tuple[Ask, ...]:
    if not _speaks(answers):
        return (Ask(_VERSION),)
    return (Ask(_VERSION), Ask(_APPLICATIONS, lacking="its applications and their deployments stay unknown"))


def _speaks(answers: Answers) -> bool:
    return root(answers, _VERSION)["ray_version"].exists


def _read(answers: Answers) -> tuple[Observation, ...]:
    return tuple(_observations(answers))


def _observations(answers: Answers) -> Iterator[Observation]:
    version, top = root(answers, _VERSION), root(answers, _APPLICATIONS)
    yield named("ray-serve", "a Ray cluster", version)
    yield from reported("runtime.engine.version", version["ray_version"])
    deployed = [one["deployed_app_config"] for _, one in top["applications"].items()]
    applications = [one.value for one in deployed if one.is_mapping]
    if not applications:
        return
    config = {
        "applications": applications,
        "http_options": {key: top["http_options"][key].value for key in _HTTP if top["http_options"][key].value},
    }
    if top["proxy_location"]:
        config["proxy_location"] = top["proxy_location"].value  # type: ignore[assignment]  # one value of JSON
    content = Content(msgspec.json.encode(config).decode("utf-8", "replace"), Location(top.location.source))
    for one in read_config(content).observations:
        if one.origin == "config-file":
            place = _place(one, top)
            yield msgspec.structs.replace(one, origin="reported", basis="seen", locations=(place,))


def _place(one: Observation, top: Node) -> Location:
    """Where the answer has it, as near as can be told: the options of the proxy, or the applications."""
    proxy = one.fact in _OF_PROXY or one.key.startswith("http_options.")
    part = "proxy_location" if one.key == "proxy_location" else "http_options" if proxy else "applications"
    return (top[part] if top[part].exists else top).location


ENDPOINTS = Endpoints(asks=_asks, speaks=_speaks, read=_read)
