"""Who wrote a line, where one log holds what several pods or services wrote."""

from __future__ import annotations

import re

# Of kubectl logs --prefix, and of docker compose logs (whose containers end in a number).
SPEAKER = re.compile(
    r"\[pod/(?P<pod>[\w.-]{1,253})/(?P<container>[\w.-]{1,63})\] ?"
    r"|(?P<service>[A-Za-z][\w.-]{0,80}[-_]\d{1,4}) {1,40}\| ?"
)
