"""The extractor of llama.cpp's arguments, on sources of the same form."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.engines.extract_llama_cpp import (
    READER,
    initial,
    literal,
    native,
    options,
    python_server,
    requests,
    stable,
)
from tools.engines.reader import Package, Things

HEADER = """
struct common_params_sampling {
    float top_p = 0.95f; // nucleus
};

struct common_params {
    int32_t n_ctx = 0; // 0: the model's own
    int32_t n_batch = 2048;
    int32_t n_parallel = 1;
    bool no_kv_offload = false;
    bool endpoint_metrics = false;
    enum ggml_type cache_type_k = GGML_TYPE_F16;
    std::string chat_template = "";
    std::vector<std::string> hostnames = {"127.0.0.1"};
    struct common_params_sampling sampling;
};
"""
SOURCE = """
void init(common_params & params, llama_example ex) {
    if (ex == LLAMA_EXAMPLE_SERVER) {
        params.n_parallel = -1; // auto
    }
    // add_opt(common_arg({"--commented"}, "out", [](common_params & params) { params.x = true; }));
    add_opt(common_arg(
        {"-c", "--ctx-size"}, "N",
        "size (with a bracket { and a paren )",
        [](common_params & params, int value) { params.n_ctx = value; }
    ).set_env("LLAMA_ARG_CTX_SIZE"));
    add_opt(common_arg(
        {"-b", "--batch-size"}, "N", "batch",
        [](common_params & params, int value) { params.n_batch = value; }
    ).set_env("LLAMA_ARG_BATCH"));
    add_opt(common_arg(
        {"-kvo", "--kv-offload"}, {"-nkvo", "--no-kv-offload"}, "offload",
        [](common_params & params, bool value) { params.no_kv_offload = !value; }
    ).set_env("LLAMA_ARG_KV_OFFLOAD"));
    add_opt(common_arg(
        {"--metrics"}, "metrics", [](common_params & params) { params.endpoint_metrics = true; }
    ).set_examples({LLAMA_EXAMPLE_SERVER}));
    add_opt(common_arg(
        {"--top-p"}, "N", "p",
        [](common_params & params, const std::string & value) { params.sampling.top_p = std::stof(value); }
    ));
    add_opt(common_arg(
        {"-np", "--parallel"}, "N", "slots", [](common_params & params, int value) { params.n_parallel = value; }
    ).set_examples({LLAMA_EXAMPLE_SERVER}));
    add_opt(common_arg(
        {"--gone"}, "N", "the argument has been removed. use another",
        [](common_params & params, int value) { params.n_batch = value; }
    ));
    add_opt(common_arg(
        {"--cli-only"}, "cli", [](common_params & params) { params.x = true; }
    ).set_examples({LLAMA_EXAMPLE_MAIN}));
}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "common").mkdir()
    (tmp_path / "common" / "common.h").write_text(HEADER)
    (tmp_path / "common" / "arg.cpp").write_text(SOURCE)
    return tmp_path


def test_names_values_variables_and_lines(root: Path) -> None:
    arguments, variables = native(root)
    assert arguments == {
        "--ctx-size": {"at": "common/arg.cpp:8", "kind": "rule", "names": ["-c"]},
        "--batch-size": {"at": "common/arg.cpp:13", "value": 2048, "names": ["-b"]},
        "--kv-offload": {
            "at": "common/arg.cpp:17", "value": True, "names": ["-kvo", "-nkvo", "--no-kv-offload"],
        },
        "--metrics": {"at": "common/arg.cpp:21", "value": False},
        "--top-p": {"at": "common/arg.cpp:24", "value": 0.95},
        "--parallel": {"at": "common/arg.cpp:28", "kind": "rule", "names": ["-np"]},
    }  # fmt: skip
    assert variables["LLAMA_ARG_BATCH"] == {"at": "common/arg.cpp:13", "value": 2048}
    assert set(variables) == {"LLAMA_ARG_CTX_SIZE", "LLAMA_ARG_BATCH", "LLAMA_ARG_KV_OFFLOAD"}


def test_initial_values_reach_into_members() -> None:
    fields = initial(HEADER)
    assert fields["sampling.top_p"] == 0.95
    assert fields["cache_type_k"] == "f16"
    assert fields["hostnames"] == "127.0.0.1"
    assert fields["chat_template"] is None


def test_an_expression_is_no_value() -> None:
    assert literal("cpu_get_num_math()") == "<cpu_get_num_math()>"
    assert options("") == []


def test_settings_and_requests_of_the_python_server(tmp_path: Path) -> None:
    file = tmp_path / "settings.py"
    file.write_text(
        "class ModelSettings(BaseSettings):\n"
        "    model: str = Field(description='x')\n"
        "    n_ctx: int = Field(default=2048, ge=0)\n"
        "    n_threads: int = Field(default=max(cpu_count() // 2, 1))\n"
        "    cache_size: int = Field(default=2 << 30)\n"
    )
    arguments, variables = python_server(file)
    at = "llama_cpp/server/settings.py"
    assert arguments == {
        "--model": {"at": f"{at}:2"},
        "--n_ctx": {"at": f"{at}:3", "value": 2048},
        "--n_threads": {"at": f"{at}:4", "kind": "rule"},
        "--cache_size": {"at": f"{at}:5", "value": 2147483648},
    }
    assert set(variables) == {"MODEL", "N_CTX", "N_THREADS", "CACHE_SIZE"}
    found = requests("x = 1\ntemperature_field = Field(\n    default=0.8,\n)\n")
    assert found == {"request temperature": {"at": "llama_cpp/server/types.py:2", "value": 0.8}}


def test_only_what_never_changed_is_stable() -> None:
    def one(**values: object) -> dict[str, Things]:
        return {"arguments": {f"--{name}": {"at": "vendor/x:1", "value": value} for name, value in values.items()}}

    contents = [one(a=1, b=2), one(a=1, b=2, c=True), one(a=1, b=3, c=1)]
    assert stable(["0.3.1", "1", "2"], contents) == {"--a": 1}
    own: dict[str, Things] = {"arguments": {"--a": {"at": "llama_cpp/server/settings.py:1", "value": 7}}}
    assert stable(["0.2.1", "1", "2"], [own, *contents[1:]]) == {"--a": 1}, "another server's argument"


def test_a_version_ends_with_the_build_that_it_holds() -> None:
    (builds,) = READER.further
    assert isinstance(builds, Package)
    found = [re.fullmatch(builds.release, name) for name in ("2026.10.11549", "2026.4.8672.1", "0.2.14")]
    assert [one and one[1] for one in found] == ["11549", None, None]
    assert READER.address.count("https://pypi.org/project/") == 2
