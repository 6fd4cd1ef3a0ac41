"""The extractors of Triton and TF Serving, on sources of the same form."""

from __future__ import annotations

import pathlib

from tools.engines import cpp, extract_tf_serving, extract_triton

PARSER = """
enum OptionId { OPTION_HELP = 1000, OPTION_PORT };
void TritonParser::SetupOptions()
{
  server_options_.push_back({OPTION_HELP, "help", Option::ArgNone, "Print usage"});
  http_options_.push_back(
      {OPTION_HTTP_PORT, "http-port", Option::ArgInt,
       "The port. Default is 8000."});
  grpc_options_.push_back({OPTION_KEEPALIVE, "grpc-keepalive-time", Option::ArgInt, "The period."});
  options_.push_back({OPTION_POOL, "pinned-memory-pool-byte-size", Option::ArgInt, "Bytes."});
  options_.push_back({OPTION_POOLS, "cuda-memory-pool-byte-size", "<integer>:<integer>", "Bytes."});
  options_.push_back({OPTION_MODE, "model-control-mode", Option::ArgStr, "Mode."});
  options_.push_back({OPTION_THREADS, "model-load-thread-count", Option::ArgInt, "Threads."});
  options_.push_back({OPTION_SIZE, "http-max-input-size", Option::ArgInt, "Bytes."});
}
      switch (flag) {
        case OPTION_HTTP_PORT:
          lparams.http_port_ = ParseOption<int>(optarg);
          break;
        case OPTION_KEEPALIVE:
          lgrpc_options.keep_alive_
              .keepalive_time_ms_ = ParseOption<int>(optarg);
          break;
        case OPTION_POOL:
          lparams.pinned_memory_pool_byte_size_ = ParseOption<int64_t>(optarg);
          break;
        case OPTION_POOLS:
          lparams.cuda_pools_.push_back(ParsePairOption<int, uint64_t>(optarg, ":"));
          break;
        case OPTION_MODE: {
          std::string mode_str(optarg);
          if (mode_str == "none") {
            lparams.control_mode_ = TRITONSERVER_MODEL_CONTROL_NONE;
          }
          break;
        }
        case OPTION_SIZE: {
          int64_t temp_input_size = ParseOption<int64_t>(optarg);
          lparams.http_max_input_size_ = temp_input_size;
          break;
        }
        case OPTION_THREADS:
          lparams.load_threads_ = ParseOption<int>(optarg);
          break;
      }
  int unrelated = 15;
"""
HEADER = """
struct TritonServerParameters {
  int32_t http_port_{8000};  // the port
  int64_t pinned_memory_pool_byte_size_{1 << 28};
  TRITONSERVER_ModelControlMode control_mode_{TRITONSERVER_MODEL_CONTROL_NONE};
  uint32_t load_threads_{std::max(2u, 2 * hardware_concurrency())};
  size_t http_max_input_size_{HTTP_DEFAULT};
};
constexpr size_t HTTP_DEFAULT = 1 << 26;
"""
GRPC = """
struct KeepAliveOptions {
  explicit KeepAliveOptions() : keepalive_time_ms_(7200000), other_(2) {}
  int keepalive_time_ms_;
};
"""
BUILD_OLD = """
TRITON_VERSION_MAP = {
    '2.20.0': (
        '22.03',  # triton container
        '1.10.0',  # ORT
        '2.2.9')  # DCGM version
}
"""
BUILD_NEW = """
DEFAULT_TRITON_VERSION_MAP = {
    "triton_container_version": "25.01dev",
    "vllm_version": "0.6.3.post1",
}
"""
CORE = """
Status
NormalizeModelConfig(
    const double min_compute_capability)
{
  // If version_policy is not specified, default to Latest 1 version.
  return Status::Success;
}
"""


def written(top: pathlib.Path, files: dict[str, str]) -> pathlib.Path:
    root = top / "tags" / "owner+server" / "v1"
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def test_options_have_the_default_of_the_variable_that_they_set(tmp_path: pathlib.Path) -> None:
    root = written(tmp_path, {
        "src/command_line_parser.cc": PARSER,
        "src/command_line_parser.h": HEADER,
        "src/grpc/grpc_server.h": GRPC,
    })  # fmt: skip
    found = extract_triton.options(root)
    assert found["--help"] == {"at": "src/command_line_parser.cc:5", "takes": "switch", "value": False}
    assert found["--http-port"] == {"at": "src/command_line_parser.h:3", "value": 8000}
    assert found["--grpc-keepalive-time"]["value"] == 7200000
    assert found["--pinned-memory-pool-byte-size"]["value"] == 268435456
    assert found["--model-control-mode"]["value"] == "none"
    assert found["--http-max-input-size"]["value"] == 67108864
    assert found["--model-load-thread-count"]["kind"] == "rule"
    assert found["--cuda-memory-pool-byte-size"] == {"at": "src/command_line_parser.cc:11"}


def test_the_container_of_a_release_in_both_forms(tmp_path: pathlib.Path) -> None:
    old = extract_triton.packages(written(tmp_path / "a", {"build.py": BUILD_OLD}))
    assert old == {
        "container": {"at": "build.py:4", "value": "22.03"},
        "onnxruntime": {"at": "build.py:5", "value": "1.10.0"},
        "dcgm": {"at": "build.py:6", "value": "2.2.9"},
    }
    root = written(tmp_path / "b", {"build.py": BUILD_NEW})
    new = extract_triton.packages(root)
    assert (new["container"]["value"], new["vllm"]["value"]) == ("25.01", "0.6.3.post1")
    assert extract_triton.branch(root) == "r25.01"


def test_metrics_and_rules_are_read_beside_the_release(tmp_path: pathlib.Path) -> None:
    root = written(tmp_path, {"build.py": BUILD_NEW, "src/main.cc": ""})
    core = tmp_path / "tags" / "triton-inference-server+core" / "r25.01" / "src"
    core.mkdir(parents=True)
    (core / "metrics.cc").write_text('\n  .Name("nv_inference_count")\n  .Name("nv_cpu_")\n', encoding="utf-8")
    (core / "model_config_utils.cc").write_text(CORE, encoding="utf-8")
    assert extract_triton.metrics(root) == {"nv_inference_count": {"at": "core src/metrics.cc:2"}}
    rules = extract_triton.rules(root)
    assert rules["NormalizeModelConfig"]["at"] == "core src/model_config_utils.cc:3"
    spaced = CORE.replace("  return", "\n     return").replace("// If", "// Where")
    again = cpp.functions(cpp.Source("x", spaced), ("NormalizeModelConfig",))
    assert again["NormalizeModelConfig"]["digest"] == rules["NormalizeModelConfig"]["digest"]


def test_expressions_of_c() -> None:
    for text, value in (
        ("true", True),
        ('"a"', "a"),
        ("1 << 4", 16),
        ("1LL * 60 * 1000", 60000),
        ("0.5f", 0.5),
        ("2L", 2),
    ):
        assert cpp.value(text) == (True, value)
    assert cpp.value("port::NumSchedulableCPUs()") == (False, "port::NumSchedulableCPUs()")


MAIN = """
int main(int argc, char** argv) {
  tensorflow::serving::main::Server::Options options;
  bool xla_enabled = false;
  std::vector<tensorflow::Flag> flag_list = {
      tensorflow::Flag("port", &options.grpc_port, "TCP port"),
      tensorflow::Flag(
          "rest_api_timeout_in_ms", &options.http_timeout_in_ms,
          "Timeout"),
      tensorflow::Flag("model_name", &options.model_name, "name"),
      tensorflow::Flag("grpc_max_threads", &options.grpc_max_threads, "threads"),
      tensorflow::Flag("xla_enabled", &xla_enabled, "JIT"),
      tensorflow::Flag("enable_batching", &options.enable_batching, "enable batching")};
"""
OPTIONS = """
  struct Options {
    tensorflow::int32 grpc_port = 8500;
    tensorflow::int32 http_timeout_in_ms = 30000;  // 30 seconds.
    tensorflow::int32 grpc_max_threads = 4.0 * port::NumSchedulableCPUs();
    bool enable_batching = false;
    tensorflow::string model_name;
    Options();
  };
"""
MADE = """
Server::Options::Options()
    : model_name("default"),
      saved_model_tags(tensorflow::kSavedModelTagServe) {}
"""
DOCKER = """
ENV MODEL_BASE_PATH=/models
ENV MODEL_NAME=model
RUN echo 'tensorflow_model_server --port=8500 --rest_api_port=8501 "$@"' > /usr/bin/tf_serving_entrypoint.sh
"""


def test_flags_of_tf_serving(tmp_path: pathlib.Path) -> None:
    home = "tensorflow_serving/"
    root = written(tmp_path, {
        f"{home}model_servers/main.cc": MAIN,
        f"{home}model_servers/server.h": OPTIONS,
        f"{home}model_servers/server.cc": MADE,
        f"{home}tools/docker/Dockerfile": DOCKER,
        f"{home}servables/tensorflow/util.cc": '\n    "/tensorflow/serving/request_count", "The number"\n',
    })  # fmt: skip
    found = extract_tf_serving.read(root)
    flags = found["arguments"]
    assert flags["--port"] == {"at": f"{home}model_servers/server.h:3", "value": 8500}
    assert flags["--rest_api_timeout_in_ms"]["value"] == 30000
    assert flags["--model_name"] == {"at": f"{home}model_servers/server.cc:3", "value": "default"}
    assert flags["--grpc_max_threads"]["kind"] == "rule"
    assert flags["--xla_enabled"] == {"at": f"{home}model_servers/main.cc:4", "takes": "toggle", "value": False}
    assert flags["--enable_batching"]["takes"] == "toggle"
    assert flags["image --rest_api_port"]["value"] == 8501
    assert flags["image MODEL_NAME"]["value"] == "model"
    assert set(found["metrics"]) == {":tensorflow:serving:request_count"}
