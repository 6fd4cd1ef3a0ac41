"""What NCCL logs under any engine that several GPUs run: over what they talk to each other.

With ``NCCL_DEBUG=INFO`` each rank writes a line for each channel to a peer (``src/transport/*.cc`` of NVIDIA/nccl @
v2.27.3-1): ``NCCL INFO Channel 00/0 : 0[0] -> 1[1] via P2P/CUMEM``, ``… via SHM/direct/direct``,
``… [send] via NET/Socket/0``, ``… [send] via NET/IB/0(4)/GDRDMA``. RCCL writes the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from askew.engines.logged import EFFECTIVE, Line, lines, reported, strong
from askew.evidence.told import Told
from askew.resolve.observation import Observation

_MARK = "NCCL INFO Channel "
_VIA = re.compile(r" -> \d{1,6}\[[0-9a-f]{1,8}\] (?:\[(?:send|receive)\] )?via (\w+)(?:/(\w+))?(\S*)")


def read(told: Told, since: int) -> Iterator[Observation]:
    """The kinds of paths between the GPUs, in the lines from ``since`` on, where each first stands."""
    paths: dict[str, Line] = {}
    for line in lines(told, _MARK, since):
        match = _VIA.search(line.text)
        if match is not None:
            paths.setdefault(_path(match[1], match[2] or "", match[3]), line)
    if paths:
        at = tuple(paths[path].at(paths[path].text.index(" via ") + len(" via ")) for path in sorted(paths))
        order = strong(EFFECTIVE, paths[max(paths)])
        yield from reported("hardware.nccl.transport", " + ".join(sorted(paths)), at, order=order)


def _path(kind: str, by: str, more: str) -> str:
    """A path without what differs from one device, channel or release to the next. Of a network its driver matters,
    and whether GPUs reach it themselves."""
    if kind != "NET":
        return kind
    return f"NET/{by}" + ("/GDRDMA" if "/GDRDMA" in more else "")
