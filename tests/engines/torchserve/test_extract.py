"""Reading TorchServe's source as text."""

from __future__ import annotations

from pathlib import Path

from tools.engines.extract_torchserve import CONFIG, IMAGE, PARSER, read

JAVA = """\
public final class ConfigManager {
    private static final String TS_DEBUG = "debug";
    private static final String TS_QUEUE = "queue_size";
    private static final String TS_PORTS = "ports";
    private static final String MODEL_CONFIG = "models";
    private static final String DEFAULT_PORTS = "7070";
    public static final String MODEL_LOGGER = "MODEL_LOG";
    private Pattern blacklistPattern;
    boolean a() { return Boolean.parseBoolean(prop.getProperty(TS_DEBUG, "false")); }
    int b() { return getIntProperty(TS_QUEUE, 100); }
    String c() { return prop.getProperty(TS_PORTS, DEFAULT_PORTS); }
    String d() { return prop.getProperty(MODEL_CONFIG, "N/A"); }
    String e() { return System.getenv("TS_CONFIG_FILE"); }
    public int getDefaultWorkers() {
        return 1;
    }
}
"""
PYTHON = """\
parser.add_argument("--start", action="store_true", help="x")
parser.add_argument(
    "--models",
    nargs="+",
)
parser.add_argument("--no-snap", "--ns", action="store_true")
def model_service_worker_args():
    parser.add_argument("--sock-type")
"""


def test_a_release_is_read_with_defaults_lines_and_kinds(tmp_path: Path) -> None:
    for name, text in ((CONFIG, JAVA), (PARSER, PYTHON), (IMAGE, "queue_size=1000\nmodel_store=/m\n")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = read(tmp_path)
    arguments = found["arguments"]
    assert arguments["debug"] == {"at": f"{CONFIG}:9", "value": False}
    assert arguments["queue_size"] == {"at": f"{CONFIG}:10", "value": 100}
    assert arguments["ports"]["value"] == 7070
    assert arguments["models"] == {"at": f"{CONFIG}:5"}
    assert arguments["image queue_size"] == {"at": f"{IMAGE}:1", "value": 1000}
    assert arguments["--no-snap"] == {"at": f"{PARSER}:6", "names": ["--ns"], "takes": "switch", "value": False}
    assert arguments["--models"]["takes"] == "list"
    assert "--sock-type" not in arguments
    assert "MODEL_LOG" not in arguments
    assert set(found["variables"]) == {"TS_DEBUG", "TS_QUEUE", "TS_PORTS", "TS_CONFIG_FILE"}
    assert found["rules"]["getDefaultWorkers"]["at"] == f"{CONFIG}:14"


def test_a_folder_without_the_sources_is_an_empty_release(tmp_path: Path) -> None:
    assert not any(read(tmp_path).values())
