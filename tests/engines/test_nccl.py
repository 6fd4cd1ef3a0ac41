"""Over what GPUs talk to each other, as NCCL logs it under any engine."""

from __future__ import annotations

import pytest

from askew.app.heard import heard
from askew.evidence.told import Told

START = "INFO 05-01 10:00:02 [api_server.py:1043] vLLM API server version 0.8.5\n"
OF_EACH = "llm-0:155:155 [0] NCCL INFO Channel {:02d}{} : 0[0] -> 1[1] {}via {}\n"


def transport(text: str) -> tuple[object, list[int]]:
    said = heard([Told(kind="log", name="start.log", source="start.log", text=text)])
    assert said is not None
    found = [one for one in said.observations if one.fact == "hardware.nccl.transport"]
    return (found[0].value, [at.line for at in found[0].locations]) if found else (None, [])


@pytest.mark.parametrize(
    ("lines", "path"),
    [
        ([("/0", "", "P2P/CUMEM"), ("/0", "", "P2P/CUMEM/read")], "P2P"),
        ([("/0", "", "P2P/IPC")], "P2P"),
        ([("", "", "SHM/direct/direct"), ("", "", "SHM/direct/direct")], "SHM"),
        ([("/0", "[send] ", "NET/Socket/0"), ("/0", "[receive] ", "NET/Socket/1")], "NET/Socket"),
        ([("/0", "[send] ", "NET/IB/0(0)/GDRDMA"), ("/0", "", "P2P/CUMEM")], "NET/IB/GDRDMA + P2P"),
        ([("/0", "[send] ", "NET/IB/3")], "NET/IB"),
        ([("/0", "[send] ", "NET/AWS Libfabric/0")], "NET/AWS"),
    ],
)
def test_the_path_is_told_whatever_the_channel_the_device_and_the_release(
    lines: list[tuple[str, str, str]], path: str
) -> None:
    text = START + "".join(OF_EACH.format(number, *line) for number, line in enumerate(lines))
    assert transport(text)[0] == path


def test_of_several_starts_the_last_one_counts() -> None:
    text = START + OF_EACH.format(0, "", "", "P2P/IPC") + "\n" * 20 + START + OF_EACH.format(0, "", "", "SHM/direct")
    assert transport(text) == ("SHM", [24])


def test_without_such_lines_nothing_is_said() -> None:
    assert transport(START + "llm-0:1:1 [0] NCCL INFO NET/Socket : Using [0]eth0:10.0.0.1<0>\n") == (None, [])
