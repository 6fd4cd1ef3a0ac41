"""The reader of Infinity: a small made-up package in, states out."""

from __future__ import annotations

from pathlib import Path

from tools.engines import extract_infinity

CLI = """
def _construct(name):
    return dict(default=getattr(MANAGER, name), envvar=f"`{MANAGER.to_name(name)}`")
tp = typer.Typer()
@tp.command("v1")
def v1(model_name_or_path: str = MANAGER.model_id[0]):
    pass
@tp.command("v2")
def v2(
    model_id: list[str] = typer.Option(**_construct("model_id"), help="x"),
    batch_size: list[int] = typer.Option(**_construct("batch_size"), help="x"),
    model_warmup: list[bool] = typer.Option(**_construct("model_warmup"), help="x"),
    dtype: list[Dtype] = typer.Option(**_construct("dtype"), help="x"),
    port: int = typer.Option(**_construct("port"), help="x"),
    url_prefix: str = typer.Option(**_construct("url_prefix"), help="x"),
):
    pass
"""
ENV = """
class Manager:
    @cached_property
    def model_id(self):
        return self._optional_infinity_var_multiple("model_id", default=["org/model"])
    @cached_property
    def batch_size(self):
        return self._to_int_multiple(self._optional_infinity_var_multiple("batch_size", default=["32"]))
    @cached_property
    def model_warmup(self):
        return self._to_bool_multiple(self._optional_infinity_var_multiple("model_warmup", default=["true"]))
    @cached_property
    def port(self):
        return int(self._optional_infinity_var("port", default="7997"))
    @cached_property
    def url_prefix(self):
        return self._optional_infinity_var("url_prefix", default="")
    @cached_property
    def dtype(self):
        return self._typed_multiple("dtype", cls=Dtype)
"""
PRIMITIVES = """
class Dtype(EnumType):
    auto: str = "auto"
    @staticmethod
    def default_value():
        return Dtype.auto.value
"""
OLD = """
import os
def start_uvicorn(
    model_name_or_path: str = "org/old",
    batch_size: int = 64,
    engine: models.Hint = models.Hint.torch.name,
    model_warmup: bool = True,
    vector_disk_cache: bool = INFINITY_CACHE_VECTORS,
):
    os.environ.get("INFINITY_HOME")
"""
SCHEMAS = """
class RerankInput(BaseModel):
    query: str
    return_documents: bool = False
    model: str = "default/not-specified"
"""


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / "infinity_emb" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def test_defaults_come_from_the_variables(tmp_path: Path) -> None:
    files = {"cli.py": CLI, "env.py": ENV, "primitives.py": PRIMITIVES, "fastapi_schemas/pymodels.py": SCHEMAS}
    found = extract_infinity.release(write(tmp_path, files))
    arguments = found["arguments"]
    assert arguments["--model-id"] == {
        "at": "infinity_emb/cli.py:10", "names": ["--model-id", "--model-name-or-path"], "takes": "append",
        "value": "org/model",
    }  # fmt: skip
    assert (arguments["--batch-size"]["value"], arguments["--port"]["value"]) == (32, 7997)
    assert (arguments["--model-warmup"]["takes"], arguments["--model-warmup"]["value"]) == ("toggle", True)
    assert arguments["--dtype"]["value"] == "auto"
    assert "value" not in arguments["--url-prefix"]
    assert "--model-name-or-path" not in arguments
    assert found["variables"]["INFINITY_BATCH_SIZE"] == {"at": "infinity_emb/env.py:8", "value": "32"}
    assert found["requests"]["/rerank return_documents"]["value"] is False


def test_releases_before_there_were_variables(tmp_path: Path) -> None:
    found = extract_infinity.release(write(tmp_path, {"infinity_server.py": OLD}))
    arguments = found["arguments"]
    assert (arguments["--model-name-or-path"]["value"], arguments["--batch-size"]["value"]) == ("org/old", 64)
    assert arguments["--engine"]["value"] == "torch"
    assert arguments["--vector-disk-cache"]["value"] is False
    assert set(found["variables"]) == {"INFINITY_HOME"}
