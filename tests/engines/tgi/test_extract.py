"""The readers of Rust sources: small made-up sources in, states out."""

from __future__ import annotations

from pathlib import Path

from tools.engines import extract_tei, extract_tgi, rust

MAIN = """
use clap::Parser;

/// App Configuration
#[derive(Parser, Debug)]
#[clap(author, version)]
struct Args {
    /// The model: default_value = "not this"
    #[clap(default_value = "org/model", long, env)]
    model_id: String,

    #[clap(long, env)]
    revision: Option<String>,

    #[clap(long, env, value_enum)]
    dtype: Option<Dtype>,

    #[clap(default_value = "0.3", long, env)]
    #[redact(partial)]
    ratio: f32,

    #[clap(
        default_value = "3000",
        long,
        short,
        env
    )]
    port: u16,

    #[clap(long, env)]
    trust_remote_code: bool,

    #[clap(long, env, default_value = "true", num_args = 0..=1, default_missing_value = "true")]
    auto_truncate: bool,

    #[clap(long, env)]
    origins: Vec<String>,

    #[clap(long, env, value_delimiter = ',')]
    sizes: Option<Vec<usize>>,

    #[clap(long, short, action)]
    env: bool,

    #[clap(long, env = "OTHER_NAME")]
    renamed: Option<String>,
}

fn resolve_attention() -> String {
    // a comment
    std::env::var("ATTENTION").unwrap_or("paged".to_string())
}

fn main() {
    let level = env::var("LEVEL").ok().and_then(|text| text.parse().ok()).unwrap_or(0.95);
    let bare = std::env::var("BARE").ok();
    let next = other.unwrap_or("x".to_string());
}

#[cfg(test)]
mod tests {
    fn test() { std::env::var("IN_TEST").unwrap(); }
}
"""

LIB = """
pub(crate) struct GenerateParameters {
    #[serde(default)]
    #[schema(nullable = true, default = "null", example = 1)]
    pub best_of: Option<usize>,
    #[serde(default = "default_max_new_tokens")]
    #[schema(nullable = true, default = "100", example = "20")]
    pub max_new_tokens: Option<u32>,
    #[serde(default)]
    pub do_sample: bool,
}
fn default_max_new_tokens() -> Option<u32> {
    Some(100)
}
pub(crate) struct ChatRequest {
    pub max_tokens: Option<u32>,
}
"""
SERVER = """
        let max_new_tokens = req.max_tokens.or(Some(100));
        metrics::increment_counter!("tgi_request_count");
        metrics::histogram!(
            "tgi_request_duration",
            1.0
        );
        // "tgi_not_emitted"
"""
GLOBALS = """
import os
CHUNKING = os.getenv("PREFILL_CHUNKING", "1").lower() in {"1"}
ROOM = float(os.getenv("TGI_WIGGLE_ROOM", "0.90"))
ATTENTION = os.environ["ATTENTION"]
if "CUDA_GRAPHS" in os.environ:
    os.environ["WRITTEN"] = "1"
"""
DOCKERFILE = """
FROM nvidia/cuda:12.4.1-devel-ubuntu22.04 AS build
ARG PYTORCH_VERSION=2.4.0
ARG CUDA_VERSION=12.4
FROM nvidia/cuda:12.1.0-base-ubuntu22.04 AS base
ENV HF_HOME=/data \\
    PORT=80
ENV USE_PREFIX_CACHING=0
"""


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def test_arguments_of_clap() -> None:
    found = rust.arguments(MAIN, "main.rs", ("dtype",))
    assert found["--model-id"] == {
        "at": "main.rs:10", "names": ["--model-id"], "takes": "value", "value": "org/model",
    }  # fmt: skip
    assert found["--dtype"]["kind"] == "rule"
    assert "value" not in found["--revision"] and "kind" not in found["--revision"]
    assert found["--ratio"]["value"] == 0.3
    assert (found["--port"]["value"], found["--port"]["names"]) == (3000, ["--port", "-p"])
    assert (found["--trust-remote-code"]["takes"], found["--trust-remote-code"]["value"]) == ("switch", False)
    assert (found["--auto-truncate"]["takes"], found["--auto-truncate"]["value"]) == ("optional", True)
    assert (found["--origins"]["takes"], found["--sizes"]["takes"]) == ("append", "value")
    assert found["--env"]["names"] == ["--env", "-e"]


def test_variables_of_clap() -> None:
    found = rust.argument_variables(MAIN, "main.rs")
    assert {"MODEL_ID", "REVISION", "TRUST_REMOTE_CODE", "SIZES", "OTHER_NAME"} <= set(found)
    assert not {"ENV", "RENAMED"} & set(found)


def test_a_release_of_tgi(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "launcher/src/main.rs": MAIN, "router/src/lib.rs": LIB, "router/src/server.rs": SERVER,
            "server/text_generation_server/models/globals.py": GLOBALS, "Dockerfile": DOCKERFILE,
            "Dockerfile_amd": DOCKERFILE, "server/requirements_cuda.txt": "transformers==4.45.0 ; python\nother==1\n",
        },
    )  # fmt: skip
    found = extract_tgi.release(root)
    variables = found["variables"]
    assert variables["PREFILL_CHUNKING"] == {
        "at": "server/text_generation_server/models/globals.py:3", "value": "1",
    }  # fmt: skip
    assert variables["TGI_WIGGLE_ROOM"]["value"] == "0.90"
    assert variables["ATTENTION"]["kind"] == "rule"
    assert variables["LEVEL"]["value"] == "0.95"
    assert "value" not in variables["BARE"]
    assert not {"IN_TEST", "WRITTEN", "CUDA_GRAPHS"} & set(variables)
    assert set(found["metrics"]) == {"tgi_request_count", "tgi_request_duration"}
    assert found["requests"]["/generate max_new_tokens"] == {"at": "router/src/lib.rs:8", "value": 100}
    assert found["requests"]["/v1/chat/completions max_tokens"] == {"at": "router/src/server.rs:2", "value": 100}
    assert found["requests"]["/generate do_sample"]["value"] is False
    assert "value" not in found["requests"]["/generate best_of"]
    assert found["packages"]["cuda"]["value"] == "12.4"
    assert found["packages"]["transformers"] == {"at": "server/requirements_cuda.txt:1", "value": "4.45.0"}
    assert found["arguments"]["image PORT"]["value"] == 80
    assert found["arguments"]["image rocm PREFIX_CACHING"]["value"] == 0
    assert set(found["rules"]) == {"resolve_attention", "main"}


def test_a_digest_does_not_see_comments_and_layout() -> None:
    names = ("resolve_attention",)
    plain = rust.digests(MAIN, "a.rs", names)["resolve_attention"]["digest"]
    other = MAIN.replace("    // a comment\n", "\n\n").replace("    std::env::var(", "  std::env::var(")
    assert rust.digests(other, "b.rs", names)["resolve_attention"]["digest"] == plain
    changed = MAIN.replace('"paged"', '"flashinfer"')
    assert rust.digests(changed, "a.rs", names)["resolve_attention"]["digest"] != plain


def test_a_release_of_tei(tmp_path: Path) -> None:
    candle = (
        "impl Backend for CandleBackend {\n    fn max_batch_size(&self) -> Option<usize> {\n"
        "        if matches!(self.device, Device::Cpu) {\n            return Some(4);\n        }\n"
        "        None\n    }\n}\n"
    )
    types = 'pub(crate) struct EmbedRequest {\n    #[serde(default = "yes")]\n    pub normalize: bool,\n}\n'
    root = write(
        tmp_path,
        {
            "router/src/main.rs": MAIN, "router/src/http/types.rs": types + "fn yes() -> bool {\n    true\n}\n",
            "core/src/infer.rs": 'let c = metrics::counter!("te_request_failure", "err" => "x");\n',
            "backends/candle/src/lib.rs": candle,
            "backends/src/lib.rs": 'let size = read_env_var("MAX_WARMUP_BATCH_SIZE", 8);\n',
            "Dockerfile-cuda": DOCKERFILE,
        },
    )  # fmt: skip
    found = extract_tei.release(root)
    assert found["arguments"]["image cpu largest batch of candle"] == {
        "at": "backends/candle/src/lib.rs:4", "value": 4,
    }  # fmt: skip
    assert found["variables"]["MAX_WARMUP_BATCH_SIZE"]["value"] == 8
    assert set(found["metrics"]) == {"te_request_failure"}
    assert found["requests"]["/embed normalize"]["value"] is True


def test_the_same_source_gives_the_same_bytes(tmp_path: Path) -> None:
    from tools.engines.releases import text

    root = write(tmp_path, {"launcher/src/main.rs": MAIN, "router/src/lib.rs": LIB})
    first, second = (text("tgi", "x", ["1.0.0"], [extract_tgi.release(root)]) for _ in range(2))
    assert first == second
