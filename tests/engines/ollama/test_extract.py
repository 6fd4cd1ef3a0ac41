"""The extractor of Ollama's variables, on sources of the same form."""

from __future__ import annotations

from pathlib import Path

from tools.engines.extract_ollama import options, release, variables

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
        "num_ctx": {"at": "api/types.go:14", "kind": "rule"},
    }
    assert options("package api\n") == {}


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def test_a_release_with_a_file_of_variables(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {"envconfig/config.go": CONFIG, "api/types.go": TYPES, "Dockerfile": "FROM x\nENV OLLAMA_HOST=0.0.0.0:11434\n"},
    )
    found = release(root)
    assert found["arguments"]["image OLLAMA_HOST"] == {"at": "Dockerfile:2", "value": "0.0.0.0:11434"}
    assert found["variables"]["OLLAMA_NUM_PARALLEL"] == {"at": "envconfig/config.go:4", "value": 1}


def test_an_initialiser_states_defaults_of_older_releases(tmp_path: Path) -> None:
    text = 'func init() {\n\tNumParallel = 0 // Autoselect\n\tMaxRunners = 1\n}\nvar m = {"OLLAMA_NUM_PARALLEL": {}}\n'
    found = release(write(tmp_path, {"server/envconfig/config.go": text}))
    assert found["variables"] == {
        "OLLAMA_NUM_PARALLEL": {"at": "server/envconfig/config.go:2", "value": 0},
        "OLLAMA_MAX_LOADED_MODELS": {"at": "server/envconfig/config.go:3", "value": 1},
    }


def test_the_oldest_releases_ask_where_they_need_it(tmp_path: Path) -> None:
    text = 'package server\nx := os.Getenv("OLLAMA_ORIGINS")\ny := os.Getenv("HOME")\n'
    found = release(write(tmp_path, {"server/routes.go": text}))
    assert found["variables"] == {"OLLAMA_ORIGINS": {"at": "server/routes.go:2", "kind": "rule"}}


def test_an_option_that_nothing_sets_is_still_one() -> None:
    text = TYPES.replace("\tNumCtx int", '\tUseMMap *bool `json:"use_mmap,omitempty"`\n\tNumCtx int')
    found = options(text.replace("\t\tTopK: 40,\n", ""))
    assert found["use_mmap"]["kind"] == found["top_k"]["kind"] == found["num_ctx"]["kind"] == "rule"


def test_the_address_of_an_image_has_its_port_and_the_slots_their_number(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nENV OLLAMA_HOST 0.0.0.0\n")
    (tmp_path / "server").mkdir()
    (tmp_path / "server" / "sched.go").write_text(
        'package server\n\nfunc f() {\n\tnumParallel := 1\n\tif onp := os.Getenv("OLLAMA_NUM_PARALLEL"); onp != "" {\n'
    )
    found = release(tmp_path)
    assert found["arguments"]["image OLLAMA_HOST"]["value"] == "0.0.0.0:11434"
    assert found["variables"]["OLLAMA_NUM_PARALLEL"] == {"at": "server/sched.go:4", "value": 1}
