"""A configuration file of Ray Serve: applications, their deployments, and the HTTP and gRPC proxies.

Source: ``ServeDeploySchema`` of ``ray/serve/schema.py``, https://docs.ray.io/en/latest/serve/production-guide/config.html
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from askew.evidence import yaml
from askew.evidence.document import Node
from askew.evidence.errors import DocumentError
from askew.evidence.launch import Content
from askew.evidence.location import Location
from askew.evidence.redaction import is_secret_name
from askew.facts.types import Value
from askew.resolve.observation import Observation, Unknown
from askew.resolve.workload import Problem

OTHER = "runtime.arguments.unmapped"
OF_SERVICE = "/serveConfigV2"  # where a RayService's configuration is found among the files of its launch
_MOST = 2_000  # values of one file that are told
_HOP = "ray-serve"


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """An option by its path in the file (of a deployment without the deployment's name), and the fact it states."""

    path: str
    fact: str = OTHER
    key: str = ""


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says. ``single`` names the one deployment, where there is one; ``scaled`` how its replicas are
    counted where bounds are left out: ``auto``, ``config`` or empty. ``models`` are entries of ``llm_configs``."""

    observations: tuple[Observation, ...] = ()
    problems: tuple[Problem, ...] = ()
    models: tuple[Node, ...] = ()
    single: str = ""
    scaled: str = ""
    mapped: int = 0
    unmapped: tuple[str, ...] = ()


OPTIONS: tuple[Option, ...] = (
    Option(path="max_ongoing_requests", fact="serving.max_concurrency"),
    Option(path="max_queued_requests", fact="serving.queue", key="max_queued_requests"),
    Option(path="graceful_shutdown_timeout_s"),
    Option(path="graceful_shutdown_wait_loop_s"),
    Option(path="health_check_period_s"),
    Option(path="health_check_timeout_s"),
    Option(path="rolling_update_percentage"),
    Option(path="max_constructor_retry_count"),
    Option(path="http_options.port", fact="serving.port"),
    Option(path="http_options.host", fact="serving.listen_host"),
    Option(path="http_options.request_timeout_s", fact="serving.request_timeout"),
    Option(path="http_options.keep_alive_timeout_s", fact="serving.idle_timeout"),
    Option(path="http_options.root_path"),
    Option(path="grpc_options.port"),
    Option(path="grpc_options.request_timeout_s"),
)
_BY_PATH = {option.path: option for option in OPTIONS}
# Until 2.31 the number of requests at once had this name; the schema took both from 2.10 on.
_OLD = {"max_concurrent_queries": "max_ongoing_requests"}
_LOGGING = ("logging_config", "tracing_config")
_APPLICATION = frozenset(
    ("name", "route_prefix", "import_path", "runtime_env", "host", "port", "deployments", "args", "logging_config")
) | {"external_scaler_enabled", "autoscaling_policy", "docs_path"}
_DEPLOYMENT = frozenset(
    (
        *(
            "name",
            "num_replicas",
            "max_ongoing_requests",
            "max_concurrent_queries",
            "max_queued_requests",
            "user_config",
        ),
        *(
            "autoscaling_config",
            "graceful_shutdown_wait_loop_s",
            "graceful_shutdown_timeout_s",
            "health_check_period_s",
        ),
        *("health_check_timeout_s", "ray_actor_options", "placement_group_bundles", "placement_group_strategy"),
        *("max_replicas_per_node", "logging_config", "request_router_config", "gang_scheduling_config", "route_prefix"),
        *("deployment_actors", "rolling_update_percentage", "max_surge_percent", "backpressure_config"),
        *("placement_group_bundle_label_selector", "max_constructor_retry_count"),
    )
)
_TOP = frozenset(
    (
        *("applications", "proxy_location", "http_options", "grpc_options", "logging_config", "target_capacity"),
        *("controller_options", "tracing_config"),
    )
)


def read(content: Content) -> Config:
    """The file. Never raises: what Ray Serve could not read becomes a problem with its place."""
    stream = yaml.read(content.text, content.location.source or "serve config")
    documents = stream.documents
    if stream.errors:
        return Config(problems=(_broken(content, stream.errors[0]),))
    if len(documents) != 1 or not documents[0].root.is_mapping:
        found = "nothing" if not documents or documents[0].root.value is None else "no map of options"
        return Config(problems=(_unreadable(content, 0, 0, f"expected applications, found {found}"),))
    return _Reader(content).run(documents[0].root)


def _broken(content: Content, error: DocumentError) -> Problem:
    return _unreadable(content, max(error.line - 1, 0), max(error.column - 1, 0), error.message, error.hint)


def _unreadable(content: Content, line: int, column: int, message: str, hint: str = "") -> Problem:
    return Problem(
        kind="unreadable",
        message=f"Ray Serve cannot read its configuration: {message}",
        locations=(content.place(line, column),),
        suggestion=hint or "https://docs.ray.io/en/latest/serve/production-guide/config.html",
    )


def canonical(option: Option, value: Value) -> Value:
    """A default of an option as its fact has it; None where it says nothing."""
    from askew.facts.catalogue import fact

    if option.fact == OTHER:
        return value if isinstance(value, str) else _text(value)
    try:
        parsed = fact(option.fact).type.parse({option.key: value} if option.key else value)
    except ValueError:
        return None
    return parsed[option.key] if option.key and isinstance(parsed, dict) else parsed


def key_of(option: Option, deployment: str) -> str:
    """The key under which an option without a fact of its own is told."""
    if option.fact != OTHER:
        return option.key
    return option.path if "." in option.path else f"{deployment}.{option.path}"


def _text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # 20 and 20.0 are one number to Ray Serve
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


class _Reader:
    """One pass over a file. An object because every value needs its place and is counted."""

    def __init__(self, content: Content) -> None:
        self.content = content
        self.found: list[Observation] = []
        self.problems: list[Problem] = []
        self.unmapped: list[str] = []
        self.models: list[Node] = []
        self.scaled = ""
        self.mapped = 0

    def run(self, root: Node) -> Config:
        single_form = root["import_path"].exists and not root["applications"].exists
        applications = [root] if single_form else list(root["applications"].each())
        for index, one in enumerate(applications):
            if not one.is_mapping or not one["import_path"].text():
                self.refuse(one, f"applications[{index}]", "a map with import_path")
        applications = [one for one in applications if one.is_mapping and one["import_path"].text()]
        if not single_form:
            self.known(root, _TOP, "")
            if root["applications"].exists and not root["applications"].is_sequence:
                self.refuse(root["applications"], "applications", "a list")
        for name in ("http_options", "grpc_options"):
            self.options(root[name], name)
        for name in ("proxy_location", "target_capacity"):
            if root[name].exists:
                self.other(root[name], name)
        if not single_form and root["proxy_location"].value is None:
            self.left_out("proxy_location", "EveryNode")
        deployments = [(app, one) for app in applications for one in self.deployments(app)]
        single = ""
        if len(deployments) == 1 and len(applications) == 1:
            single = deployments[0][1]["name"].text() or "deployment"
        for _, deployment in deployments:
            self.deployment(deployment, single=bool(single))
        for application in applications:
            self.application(application)
        return Config(
            observations=tuple(self.found),
            problems=tuple(self.problems),
            models=tuple(self.models),
            single="" if self.models else single,
            scaled=self.scaled if single else "",
            mapped=self.mapped,
            unmapped=tuple(self.unmapped),
        )

    def place(self, node: Node) -> Location:
        at = node.location
        return self.content.place(max(at.line - 1, 0), max(at.column - 1, 0))

    def refuse(self, node: Node, name: str, expected: str) -> None:
        at = node.location
        text = f"{name} must be {expected}"
        self.problems.append(_unreadable(self.content, max(at.line - 1, 0), max(at.column - 1, 0), text))

    def known(self, node: Node, names: frozenset[str], before: str) -> None:
        for key, _ in node.items():
            if key in names:
                self.mapped += 1
            else:
                self.unmapped.append(before + key)

    def say(self, option: Option, node: Node, value: object, key: str) -> None:
        unseen = next((why for part, why in self.content.unknown.items() if part in str(value)), "")
        known = canonical(option, value if isinstance(value, (bool, int, float, str)) else _text(value))
        held: Value | Unknown = known
        if unseen:
            held = Unknown(unseen, text=str(value))
        elif known is None:
            name = option.path
            held = Unknown(f"Ray Serve refuses {value!r} for {name}", text=str(value))
            place = self.place(node)
            self.problems.append(
                Problem(
                    kind="invalid-value", message=f"Ray Serve refuses {value!r} for {name}", locations=(place,),
                    argument=name, value=str(value), fact=option.fact,
                )
            )  # fmt: skip
        self.found.append(
            Observation(
                fact=option.fact, key=key, value=held, origin="config-file", locations=(self.place(node),),
                raw=str(value), order=len(self.found),
            )
        )  # fmt: skip

    def options(self, node: Node, name: str) -> None:
        if node.exists and not node.is_mapping and node.value is not None:
            self.refuse(node, name, "a map")
        for key, child in node.items():
            path = f"{name}.{key}"
            option = _BY_PATH.get(path)
            if child.value is None:
                continue
            if option is not None and child.text() is not None:
                self.say(option, child, child.value, key_of(option, ""))
            else:
                self.other(child, path)

    def other(self, node: Node, path: str) -> None:
        """A value without a fact of its own, each part as text by its path."""
        for inner, leaf in _leaves(node, path):
            if len(self.found) >= _MOST:
                return
            # 1.0 and 1 are one number to Ray Serve, which a word in quotes is not.
            text = _text(leaf.value) if isinstance(leaf.value, (int, float)) else leaf.text() or ""
            hidden = is_secret_name(inner.rpartition(".")[2])
            value: Value | Unknown = Unknown("its name says that it holds a secret") if hidden else text
            self.found.append(
                Observation(fact=OTHER, key=inner, value=value, origin="config-file", locations=(self.place(leaf),))
            )

    def left_out(self, key: str, value: str) -> None:
        """What every release takes where the file says nothing: ``ServeDeploySchema`` and ``ServeApplicationSchema`` of
        ray/serve/schema.py, 2.9.0 to 2.60.0. The code of an application could say another prefix."""
        self.found.append(
            Observation(fact=OTHER, key=key, value=value, origin="engine-default", confidence="likely")
        )  # fmt: skip

    def deployments(self, application: Node) -> list[Node]:
        listed = application["deployments"]
        if listed.exists and not listed.is_sequence and listed.value is not None:
            self.refuse(listed, "deployments", "a list")
        found = []
        for index, one in enumerate(listed.each()):
            if one.is_mapping and one["name"].text():
                found.append(one)
            else:
                self.refuse(one, f"deployments[{index}]", "a map with a name")
        return found

    def application(self, node: Node) -> None:
        name = node["name"].text() or "default"
        self.known(node, _APPLICATION, f"{name}.")
        language = (node["import_path"].text() or "").startswith(("ray.serve.llm", "ray.llm"))
        self.other(node["import_path"], f"{name}.import_path")
        if node["route_prefix"].exists:
            self.other(node["route_prefix"], f"{name}.route_prefix")
        else:
            self.left_out(f"{name}.route_prefix", "/")
        self.other(node["runtime_env"], f"{name}.runtime_env")
        args = node["args"]
        if not language:
            self.other(args, f"{name}.args")
            return
        for key, child in args.items():
            if key in ("llm_config", "prefill_config", "decode_config"):
                self.model(child, key)
            elif key == "llm_configs":
                if not child.is_sequence:
                    self.refuse(child, key, "a list of models")
                for index, one in enumerate(child.each()):
                    self.model(one, f"{key}[{index}]")
            else:
                self.other(child, f"{name}.args.{key}")

    def model(self, node: Node, name: str) -> None:
        if node.text() is not None:
            return  # the path of a file in the image
        loading = node["model_loading_config"]
        if not node.is_mapping or not (loading["model_id"].text() or loading["model_source"].exists):
            self.refuse(node, name, "a map with model_loading_config.model_id")
            return
        kwargs = node["engine_kwargs"]
        if kwargs.exists and kwargs.value is not None and not kwargs.is_mapping:
            self.refuse(kwargs, f"{name}.engine_kwargs", "a map")
            return
        if (node["llm_engine"].text() or "vllm").lower() != "vllm":
            self.other(node, name)
            return
        self.models.append(node)
        deployment = node["deployment_config"]
        for key, child in deployment.items():
            option = _BY_PATH.get(_OLD.get(key, key))
            if option is not None and option.fact != OTHER and child.text() is not None and len(self.models) == 1:
                self.say(option, child, child.value, option.key)
            elif key in ("num_replicas", "autoscaling_config"):
                self.replicas(deployment, single=len(self.models) == 1, name=name)
            else:
                self.other(child, f"{name}.{key}")
        for key, child in node.items():
            if key == "accelerator_type" and child.text() and len(self.models) == 1:
                self.accelerator(child)
            elif key not in ("model_loading_config", "engine_kwargs", "deployment_config"):
                self.other(child, f"{name}.{key}")

    def accelerator(self, node: Node) -> None:
        """The GPU that Ray places a model on: every name that its catalogue has, in the vocabulary's ids."""
        from askew.knowledge.gpus import parse_gpu_label

        text = node.text() or ""
        try:
            value: Value | Unknown = [*sorted(parse_gpu_label(text).ids)]
        except ValueError as error:
            value = Unknown(str(error), text=text)
        self.found.append(
            Observation(
                fact="hardware.gpu.model", value=value, origin="config-file", locations=(self.place(node),), raw=text
            )
        )

    def deployment(self, node: Node, *, single: bool) -> None:
        name = node["name"].text() or "deployment"
        self.known(node, _DEPLOYMENT, f"{name}.")
        for key, child in node.items():
            option = _BY_PATH.get(_OLD.get(key, key))
            if key in ("name", *_LOGGING) or child.value is None:
                continue
            if option is not None and child.text() is not None and (single or option.fact == OTHER):
                self.say(option, child, child.value, key_of(option, name))
            elif key not in ("num_replicas", "autoscaling_config"):
                self.other(child, f"{name}.{key}")
        self.replicas(node, single=single, name=name)

    def replicas(self, node: Node, *, single: bool, name: str) -> None:
        number, scaling = node["num_replicas"], node["autoscaling_config"]
        if not single:
            self.other(number, f"{name}.num_replicas")
            self.other(scaling, f"{name}.autoscaling_config")
            return
        if self.scaled:
            return
        low, high = "orchestration.replicas.min", "orchestration.replicas.max"
        if scaling.is_mapping or number.text() == "auto":
            self.scaled = "auto" if number.text() == "auto" else "config"
            anchor = scaling if scaling.is_mapping else number
            self.say(Option(path="autoscaling_config", fact="orchestration.autoscaler.kind"), anchor, "ray", "")
            for key, child in scaling.items():
                fact = {"min_replicas": low, "max_replicas": high}.get(key)
                if fact is not None and child.text() is not None:
                    self.say(Option(path=f"autoscaling_config.{key}", fact=fact), child, child.value, "")
                elif key in ("target_ongoing_requests", "target_num_ongoing_requests_per_replica"):
                    item: Value = [
                        {
                            "source": "ray", "name": "ongoing_requests", "target_type": "average",
                            "target": child.text() or "",
                        }
                    ]  # fmt: skip
                    self.found.append(
                        Observation(
                            fact="orchestration.autoscaler.metrics", value=_parsed(item), origin="config-file",
                            locations=(self.place(child),),
                        )
                    )  # fmt: skip
                else:
                    self.other(child, f"{name}.autoscaling_config.{key}")
        elif number.value is not None:
            for fact in (low, high):
                self.say(Option(path="num_replicas", fact=fact), number, number.value, "")


def _parsed(item: Value) -> Value | Unknown:
    from askew.facts.catalogue import fact

    try:
        return fact("orchestration.autoscaler.metrics").type.parse(item)
    except ValueError as error:
        return Unknown(str(error))


def _leaves(node: Node, path: str, depth: int = 0) -> Iterator[tuple[str, Node]]:
    if depth > 30 or not node.exists or node.value is None:
        return
    if node.is_mapping:
        for key, child in node.items():
            yield from _leaves(child, f"{path}.{key}", depth + 1)
    elif node.is_sequence:
        for index, child in enumerate(node.each()):
            yield from _leaves(child, f"{path}[{index}]", depth + 1)
    else:
        yield path, node
