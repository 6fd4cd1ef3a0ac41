"""The extractor of Ollama's variables, on sources of the same form."""

from __future__ import annotations

from tools.engines.extract_ollama import options, variables

CONFIG = """package envconfig

var (
\tNumParallel = Uint("OLLAMA_NUM_PARALLEL", 1)
\tNoPrune = Bool("OLLAMA_NOPRUNE")
\tFlash = BoolWithDefault("OLLAMA_FLASH_ATTENTION")
\tLibrary = String("OLLAMA_LLM_LIBRARY")
)

func Host() string { return Var("OLLAMA_HOST") }
var m = map[string]EnvVar{"OLLAMA_NUM_PARALLEL": {"OLLAMA_NUM_PARALLEL", NumParallel(), "slots"}}
"""
TYPES = """package api

type Options struct {
\tTemperature float32 `json:"temperature,omitempty"`
\tTopK int `json:"top_k,omitempty"`
\tNumCtx int `json:"num_ctx,omitempty"`
}

func DefaultOptions() Options {
\treturn Options{
\t\tTemperature: 0.8,
\t\tTopK: 40,
\t\tRunner: Runner{
\t\t\tNumCtx: int(envconfig.ContextLength()),
\t\t},
\t}
}
"""


def test_variables_have_their_literal_or_a_rule() -> None:
    assert variables(CONFIG) == {
        "OLLAMA_NUM_PARALLEL": {"at": "envconfig/config.go:4", "value": 1},
        "OLLAMA_NOPRUNE": {"at": "envconfig/config.go:5", "value": False},
        "OLLAMA_FLASH_ATTENTION": {"at": "envconfig/config.go:6", "kind": "rule"},
        "OLLAMA_LLM_LIBRARY": {"at": "envconfig/config.go:7"},
        "OLLAMA_HOST": {"at": "envconfig/config.go:10", "kind": "rule"},
    }


def test_options_are_named_as_the_api_names_them() -> None:
    assert options(TYPES) == {
        "temperature": {"at": "api/types.go:11", "value": 0.8},
        "top_k": {"at": "api/types.go:12", "value": 40},
    }
    assert options("package api\n") == {}
