"""Programs that only start another program, and how many of their words belong to them.

Options that take a value in the next word are listed; every other word that begins with ``-`` stands alone.
Sources: the manual pages of util-linux, coreutils, numactl, tini, dumb-init, sudo; docs.astral.sh/uv (``uv run``);
docs.conda.io (``conda run``); pytorch.org/docs (``torchrun``); huggingface.co/docs/accelerate (``accelerate launch``);
docs.open-mpi.org (``mpirun``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

SHELLS: Final = frozenset(("sh", "bash", "dash", "ash", "zsh", "ksh", "busybox"))


class Wrapper(msgspec.Struct, frozen=True):
    """``values``: options that take the next word; ``operands``: own words before the program's; ``verb``: its own."""

    values: frozenset[str] = frozenset()
    operands: int = 0
    verb: str = ""
    launcher: bool = False
    separator: bool = False


class Inner(msgspec.Struct, frozen=True):
    """The program inside: ``start`` is the index of its first word.

    ``assigns`` are indexes of ``NAME=value`` words; ``unset`` names leave the environment, which ``clear`` empties.
    ``python`` is the words to put in front ("python3", "-m") when the launcher starts Python itself; ``launcher``
    says that the outer program matters too.
    """

    start: int
    assigns: tuple[int, ...] = ()
    unset: tuple[str, ...] = ()
    clear: bool = False
    python: tuple[str, ...] = ()
    launcher: bool = False


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TORCHRUN: Final = _words(
    "--nnodes --nproc-per-node --nproc_per_node --rdzv-backend --rdzv_backend --rdzv-endpoint --rdzv_endpoint --rdzv-id"
    " --rdzv_id --rdzv-conf --rdzv_conf --max-restarts --max_restarts --monitor-interval --monitor_interval"
    " --start-method --start_method --role --log-dir --log_dir -r --redirects -t --tee --node-rank --node_rank"
    " --master-addr --master_addr --master-port --master_port --local-addr --local_addr"
)
_ACCELERATE: Final = _words(
    "--config_file --num_processes --num_machines --mixed_precision --machine_rank --main_process_ip"
    " --main_process_port --num_cpu_threads_per_process --gpu_ids --dynamo_backend --rdzv_backend"
    " --deepspeed_config_file --zero_stage --fsdp_config --use_deepspeed_config --tp_size --same_network"
)
_MPI: Final = _words(
    "-n -np -c --n --np -N --npernode -npernode -H -host --host --hostfile -hostfile --machinefile -machinefile -x"
    " --map-by -map-by --bind-to -bind-to --rank-by -wdir --wdir -ppn -f -env -genv --report-bindings-to -hosts"
)
_UV: Final = _words(
    "--with --with-editable --with-requirements -p --python --extra --group --only-group --no-group --no-extra"
    " --package --project --directory --env-file --index --index-url --extra-index-url --find-links -C --from"
    " --config-setting --cache-dir --config-file --python-platform --color --index-strategy"
    " --prerelease --resolution --link-mode"
)
_CONDA: Final = _words("-n --name -p --prefix --cwd")

WRAPPERS: Final[dict[str, Wrapper]] = {
    "tini": Wrapper(_words("-p -e")),
    "tini-static": Wrapper(_words("-p -e")),
    "docker-init": Wrapper(_words("-p -e")),
    "dumb-init": Wrapper(_words("-r --rewrite")),
    "catatonit": Wrapper(),
    "nvidia_entrypoint.sh": Wrapper(),
    "nohup": Wrapper(),
    "setsid": Wrapper(),
    "time": Wrapper(_words("-f --format -o --output")),
    "unbuffer": Wrapper(),
    "command": Wrapper(),
    "builtin": Wrapper(),
    "numactl": Wrapper(
        _words("-i --interleave -m --membind -N --cpunodebind -C --physcpubind -p --preferred -P --preferred-many -w")
    ),
    "timeout": Wrapper(_words("-k --kill-after -s --signal"), 1),
    "taskset": Wrapper(operands=1),
    "chrt": Wrapper(_words("-T --sched-runtime -P --sched-period -D --sched-deadline"), 1),
    "nice": Wrapper(_words("-n --adjustment")),
    "ionice": Wrapper(_words("-c --class -n --classdata")),
    "prlimit": Wrapper(_words("-p --pid -o --output")),
    "stdbuf": Wrapper(_words("-i --input -o --output -e --error")),
    "sudo": Wrapper(_words("-u --user -g --group -h --host -p --prompt -C -r --role -t --type -D --chdir -T")),
    "doas": Wrapper(_words("-u -C")),
    "gosu": Wrapper(operands=1),
    "su-exec": Wrapper(operands=1),
    "s6-setuidgid": Wrapper(operands=1),
    "with-contenv": Wrapper(),
    "catchsegv": Wrapper(),
    "opentelemetry-instrument": Wrapper(
        _words("--traces_exporter --metrics_exporter --logs_exporter --service_name --exporter_otlp_endpoint")
    ),
    "ddtrace-run": Wrapper(),
    "trtllm-llmapi-launch": Wrapper(),
    "uvx": Wrapper(_UV),
    "uv": Wrapper(_UV, verb="run"),
    "conda": Wrapper(_CONDA, verb="run"),
    "mamba": Wrapper(_CONDA, verb="run"),
    "micromamba": Wrapper(_CONDA, verb="run"),
    "poetry": Wrapper(_words("-C --directory -P --project"), verb="run"),
    "pipenv": Wrapper(verb="run"),
    "pdm": Wrapper(_words("-p --project"), verb="run"),
    "pixi": Wrapper(_words("-e --environment --manifest-path"), verb="run"),
    "nsys": Wrapper(
        _words("-o --output -t --trace -s --sample -y --delay -d --duration -c --capture-range"), verb="profile"
    ),
    "wait-for-it": Wrapper(separator=True),
    "wait-for-it.sh": Wrapper(separator=True),
    "dockerize": Wrapper(_words("-wait -timeout -template -stdout -stderr -wait-retry-interval")),
    "torchrun": Wrapper(_TORCHRUN, launcher=True),
    "accelerate": Wrapper(_ACCELERATE, verb="launch", launcher=True),
    "deepspeed": Wrapper(
        _words("-H --hostfile -i --include -e --exclude --num_nodes --num_gpus --master_port --master_addr --launcher"),
        launcher=True,
    ),
    "mpirun": Wrapper(_MPI, launcher=True),
    "mpiexec": Wrapper(_MPI, launcher=True),
    "srun": Wrapper(_words("-n -N -c -p -w -J --ntasks --nodes --partition --gres --mpi -t"), launcher=True),
    "ray": Wrapper(launcher=True, separator=True, verb="job"),
}

_TWO_WORDS: Final = frozenset(("-x", "-genv", "-env"))
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*=", re.ASCII)


def program(word: str) -> str:
    """The name of a program without its folder."""
    return word[word.rfind("/") + 1 :]


def special(word: str) -> bool:
    """Whether a program of this name starts another one that its words name."""
    name = program(word)
    return name in SHELLS or name in WRAPPERS or name == "env"


def _env(words: Sequence[str]) -> Inner | None:
    at = 1
    assigns: list[int] = []
    unset: list[str] = []
    clear = False
    while at < len(words):
        word = words[at]
        if word in ("-i", "-", "--ignore-environment"):
            clear = True
        elif word in ("-u", "--unset") and at + 1 < len(words):
            unset.append(words[at + 1])
            at += 1
        elif word.startswith("--unset="):
            unset.append(word[8:])
        elif word in ("-C", "--chdir"):
            at += 1
        elif word in ("-S", "--split-string"):
            return None
        elif _ASSIGNMENT.match(word):
            assigns.append(at)
        elif not word.startswith("-"):
            return Inner(at, tuple(assigns), tuple(unset), clear)
        at += 1
    return None


def inner(words: Sequence[str]) -> Inner | None:
    """The program that a wrapper starts, or None when ``words`` start no wrapper or name nothing to start."""
    name = program(words[0])
    if name == "env":
        return _env(words)
    wrapper = WRAPPERS.get(name)
    if wrapper is None:
        return None
    if wrapper.separator:
        at = next((index for index, word in enumerate(words) if word == "--"), len(words))
        return Inner(at + 1, launcher=wrapper.launcher) if 0 < at < len(words) - 1 else None
    at, operands, verb, module = 1, wrapper.operands, wrapper.verb, False
    assigns: list[int] = []
    while at < len(words):
        word = words[at]
        if word == "--" and not verb:
            at += 1
            break
        if word.startswith("-") and len(word) > 1:
            if word in ("-v", "-V") and name == "command":
                return None
            if wrapper.launcher and word in ("-m", "--module"):
                module = True
            elif word in wrapper.values:
                at += 1
                if word in _TWO_WORDS and name in ("mpirun", "mpiexec") and word != "-x":
                    at += 1
        elif verb:
            if word != verb:
                return None
            verb = ""
        elif operands:
            operands -= 1
        elif name in ("sudo", "doas") and _ASSIGNMENT.match(word):
            assigns.append(at)
        else:
            break
        at += 1
    if at >= len(words) or verb or operands:
        return None
    python: tuple[str, ...] = ()
    if module:
        python = ("python3", "-m")
    elif (wrapper.launcher or name == "uv") and words[at].endswith(".py"):
        python = ("python3",)
    return Inner(at, tuple(assigns), python=python, launcher=wrapper.launcher)


def script_of(words: Sequence[str]) -> tuple[int | None, int]:
    """What a shell reads: the index of the ``-c`` script (None: a file or its input) and of the first word after."""
    at = 1
    if program(words[0]) == "busybox":
        if len(words) < 2 or words[1] not in SHELLS:
            return None, len(words)
        at = 2
    command = False
    while at < len(words):
        word = words[at]
        if word in ("-", "--"):
            at += 1
            break
        if word.startswith("--"):
            at += 2 if word in ("--rcfile", "--init-file") else 1
            continue
        if len(word) < 2 or word[0] not in "-+":
            break
        command = command or (word[0] == "-" and "c" in word)
        at += 2 if word[-1] in "oO" or "o" in word[1:] else 1
    if command and at < len(words):
        return at, at + 1
    return None, at
