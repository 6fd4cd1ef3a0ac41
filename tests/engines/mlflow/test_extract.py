"""Reading MLflow's source as text."""

from __future__ import annotations

from tools.engines.extract_mlflow import arguments, variables

CLI = """\
@commands.command("serve")
@cli_args.PORT
@cli_args.ENV_MANAGER
@click.option("--own", is_flag=True, default=False)
def serve(port):
    pass
"""
SHARED = """\
PORT = click.option("--port", "-p", envvar="MLFLOW_PORT", default=5000)
ENV_MANAGER = _create_env_manager_option(default=_EnvManager.VIRTUALENV)
"""


def test_options_of_two_modules() -> None:
    found, named = arguments(CLI, SHARED, "serve", "cli.py")
    assert found == {
        "--port": {"at": "mlflow/utils/cli_args.py:1", "names": ["-p"], "value": 5000},
        "--env-manager": {"at": "mlflow/utils/cli_args.py:2", "value": "virtualenv"},
        "--own": {"at": "cli.py:4", "takes": "switch", "value": False},
    }
    assert named == {"MLFLOW_PORT": {"at": "mlflow/utils/cli_args.py:1"}}


def test_variables_with_their_defaults() -> None:
    found = variables(
        'A = _EnvironmentVariable("MLFLOW_GATEWAY_A", int, 60)\nB = _EnvironmentVariable("MLFLOW_TRACE_B", int, 5)\n'
    )
    path = "mlflow/environment_variables.py"
    assert found == {"MLFLOW_GATEWAY_A": {"at": f"{path}:1", "value": 60}, "MLFLOW_TRACE_B": {"at": f"{path}:2"}}
