"""What a command line starts: shapes found in real manifests, each written anew."""

from __future__ import annotations

import pytest

from askew.evidence.launch import Content, Launch, Token, Variable
from askew.evidence.location import Location
from askew.evidence.yaml import read
from askew.platforms.shell import kubernetes_env, kubernetes_expand, processes

HERE = Location("deploy.yaml", "args[0]", 10, 5)


def variable(name: str, value: str | None, unknown: str | None = None) -> Variable:
    return Variable(name, value, Location("deploy.yaml", f"env.{name}", 3, 9), unknown)


def launch(
    *argv: str, env: dict[str, str] | None = None, files: dict[str, str] | None = None, implicit: bool = False
) -> Launch:
    return Launch(
        tuple(Token(word, HERE) for word in argv),
        HERE,
        env={name: variable(name, value) for name, value in (env or {}).items()},
        files={path: Content(text, Location(path, line=1, column=1)) for path, text in (files or {}).items()},
        implicit_entrypoint=implicit,
    )


def words(one: Launch) -> list[str]:
    return [token.text for token in one.argv]


def started(*argv: str, env: dict[str, str] | None = None, files: dict[str, str] | None = None) -> list[list[str]]:
    return [words(one) for one in processes(launch(*argv, env=env, files=files))]


def script(text: str, **env: str) -> list[list[str]]:
    return started("bash", "-c", text, env=env)


def last(text: str, **env: str) -> Launch:
    return processes(launch("bash", "-c", text, env=env))[-1]


def reasons(one: Launch) -> dict[str, str]:
    return {token.text: token.unknown for token in one.argv if token.unknown is not None}


# -- $(NAME) as the kubelet expands it -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(A)", "1"),
        ("--tp=$(A)", "--tp=1"),
        ("$(A)$(B)", "12"),
        ("$(MISSING)", "$(MISSING)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$$$$(A)", "$$(A)"),
        ("$A ${A}", "$A ${A}"),
        ("$$A", "$A"),
        ("$(A", "$(A"),
        ("$()", "$()"),
        ("cost: 5$", "cost: 5$"),
        ("$(NESTED)", "$(A)"),
        ("plain", "plain"),
    ],
)
def test_kubernetes_expansion_follows_the_kubelet(text: str, expanded: str) -> None:
    env = {"A": variable("A", "1"), "B": variable("B", "2"), "NESTED": variable("NESTED", "$(A)")}
    assert kubernetes_expand(Token(text, HERE), env).text == expanded


def test_expansion_names_the_variable_and_what_could_not_be_seen() -> None:
    secret = variable("KEY", None, "from Secret llm, key token")
    token = kubernetes_expand(Token("--a=$(A) --key=$(KEY)", HERE), {"A": variable("A", "1"), "KEY": secret})
    assert token.text == "--a=1 --key=$(KEY)"
    assert token.unknown == "from Secret llm, key token"
    assert [place.path for place in token.via] == ["env.A", "env.KEY"]
    assert token.location == HERE


def test_environment_expands_in_order_of_declaration() -> None:
    place = Location("cm.yaml", "data.X")
    env = kubernetes_env(
        [
            variable("A", "1"),
            variable("EARLY", "$(LATE)"),
            variable("B", "$(A)2"),
            variable("LATE", "x"),
            variable("A", "9"),
            variable("C", "$(A)$(B)"),
            Variable("FROM_MAP", "$(A)", place, via=(HERE,)),
        ]
    )
    values = {name: one.value for name, one in env.items()}
    assert values == {"A": "9", "EARLY": "$(LATE)", "B": "12", "LATE": "x", "C": "912", "FROM_MAP": "$(A)"}


# -- exec form and wrappers ----------------------------------------------------------------------------------------


def test_exec_form_is_left_alone() -> None:
    one = launch("vllm", "serve", "m", "--lora-modules", *(f"a{i}=/a/{i}" for i in range(15)))
    assert processes(one) == (one,)
    assert processes(launch()) == (launch(),)


@pytest.mark.parametrize(
    "prefix",
    [
        ["env", "A=1", "B=2"],
        ["env", "-u", "X", "A=1"],
        ["/usr/bin/tini", "--"],
        ["tini", "-s", "-g", "--"],
        ["dumb-init", "--"],
        ["nohup"],
        ["numactl", "--cpunodebind=0", "-m", "0"],
        ["timeout", "-k", "5", "10"],
        ["taskset", "-c", "0-15"],
        ["nice", "-n", "5"],
        ["sudo", "-E", "-u", "app"],
        ["stdbuf", "-oL", "-e", "0"],
        ["uv", "run", "--with", "x", "--frozen"],
        ["conda", "run", "--no-capture-output", "-n", "serve"],
        ["opentelemetry-instrument"],
        ["nsys", "profile", "-o", "out"],
        ["/opt/nvidia/nvidia_entrypoint.sh"],
        ["tini", "--", "env", "A=1", "timeout", "10"],
        ["bash", "-c", 'exec "$@"', "bash"],
        ["sh", "-ec", "exec $0 $@"],
        ["bash", "-euxo", "pipefail", "-c", '"$@"', "--"],
        ["bash", "--login", "-c", "$*", "x"],
    ],
    ids=" ".join,
)
def test_wrappers_are_looked_through(prefix: list[str]) -> None:
    assert started(*prefix, "vllm", "serve", "m", "--tp", "2") == [["vllm", "serve", "m", "--tp", "2"]]


def test_env_sets_and_unsets() -> None:
    one = processes(launch("env", "-u", "OLD", "NEW=2", "vllm", "serve", env={"OLD": "1", "KEPT": "3"}))[0]
    assert {name: value.value for name, value in one.env.items()} == {"KEPT": "3", "NEW": "2"}


def test_launchers_are_shown_with_what_they_launch() -> None:
    assert started("torchrun", "--nproc-per-node", "2", "-m", "sglang.launch_server", "--tp", "2") == [
        ["torchrun", "--nproc-per-node", "2", "-m", "sglang.launch_server", "--tp", "2"],
        ["python3", "-m", "sglang.launch_server", "--tp", "2"],
    ]
    assert started("mpirun", "-n", "8", "--allow-run-as-root", "trtllm-serve", "m")[-1] == ["trtllm-serve", "m"]
    assert started("accelerate", "launch", "--num_processes", "2", "serve.py", "-x")[-1] == [
        "python3",
        "serve.py",
        "-x",
    ]


@pytest.mark.parametrize(
    "argv", [["env"], ["timeout", "10"], ["uv", "sync"], ["bash"], ["sh", "-c"], ["sudo", "-u", "x"]]
)
def test_a_wrapper_around_nothing_is_itself_the_process(argv: list[str]) -> None:
    assert started(*argv) == [argv]


def test_script_that_is_not_seen_stays_as_it_is() -> None:
    assert started("bash", "/opt/start.sh", "leader") == [["bash", "/opt/start.sh", "leader"]]


def test_mounted_script_is_read() -> None:
    files = {"/mnt/start.sh": '#!/bin/bash\nset -e\nexec vllm serve "$1" --port ${2:-8000}\n'}
    expected = [["vllm", "serve", "m", "--port", "8000"]]
    assert started("bash", "/mnt/start.sh", "m", files=files) == expected
    assert started("/mnt/start.sh", "m", files=files) == expected
    assert started("sh", "-c", "cd /mnt && exec ./start.sh m", files=files) == expected
    assert started("sh", "-c", "cat /mnt/start.sh | bash -s", files=files)[0] == ["cat", "/mnt/start.sh"]


def test_arguments_for_an_unseen_entrypoint_are_left_alone_unless_they_are_a_shell() -> None:
    only_flags = launch("env", "--model", "m", implicit=True)
    assert processes(only_flags) == (only_flags,)
    one = processes(launch("bash", "-c", "vllm serve m", implicit=True))[0]
    assert words(one) == ["vllm", "serve", "m"]
    assert not one.implicit_entrypoint


# -- the shapes that a naive reader gets wrong ---------------------------------------------------------------------


PRESET = """
if [ "$INFER_ROCE" = "true" ]; then
  for d in /sys/class/infiniband/*; do
    name=$(basename "$d")
    [[ "$name" =~ ^mlx ]] || continue
    export NCCL_IB_HCA="${NCCL_IB_HCA:-$name}"
  done
fi
eval "vllm serve /models \\
  --served-model-name "{{ .Spec.Model.Name }}" \\
  --port 8001 --max-model-len 4096 \\
  {{ if .GlobalConfig.EnableTLS }}--ssl-certfile /tls/tls.crt{{- end }} \\
  ${EXTRA_ARGS} \\
  $@"
"""


def test_kserve_preset_appends_env_and_then_arguments() -> None:
    env = {"EXTRA_ARGS": """--kv-cache-dtype=fp8 --kv-transfer-config '{"role": "both"}'""", "INFER_ROCE": "false"}
    (one,) = processes(launch("/bin/bash", "-c", PRESET, "--", "--max-model-len", "8192", env=env))
    assert words(one) == [
        *["vllm", "serve", "/models", "--served-model-name", "{{ .Spec.Model.Name }}", "--port", "8001"],
        *["--max-model-len", "4096", "--ssl-certfile", "/tls/tls.crt", "--kv-cache-dtype=fp8"],
        *["--kv-transfer-config", '{"role": "both"}', "--max-model-len", "8192"],
    ]
    assert set(reasons(one)) == {"{{ .Spec.Model.Name }}", "--ssl-certfile", "/tls/tls.crt"}
    assert reasons(one)["{{ .Spec.Model.Name }}"] == "filled in by the KServe controller"
    assert "{{ if .GlobalConfig.EnableTLS }}" in reasons(one)["--ssl-certfile"]
    assert "NCCL_IB_HCA" not in one.env
    assert not one.problems


def test_kserve_preset_without_the_extra_variable_says_so() -> None:
    (one,) = processes(launch("/bin/bash", "-c", PRESET, "--"))
    assert reasons(one)["${EXTRA_ARGS}"] == "variable EXTRA_ARGS is not set in any source seen"
    assert one.env["NCCL_IB_HCA"].unknown is not None


def test_templates_in_exec_form_are_unknown_but_jinja_is_text() -> None:
    (one,) = processes(launch("vllm", "{{ .Spec.Model.Name }}", "--chat-template", "{{ messages[0] }}"))
    assert reasons(one) == {"{{ .Spec.Model.Name }}": "filled in by the KServe controller"}


def test_login_shell_with_short_and_abbreviated_options() -> None:
    assert started("bash", "-lc", "source /opt/setvars.sh --force && vllm serve --gpu-memory-util=0.9 -tp=1") == [
        ["vllm", "serve", "--gpu-memory-util=0.9", "-tp=1"]
    ]


def test_folded_line_ends_and_leading_assignments() -> None:
    text = "cd /models && A=1 \\ VLLM_USE_V1=1 \\ python3 -m vllm --model ${LLM} \\ -tp=$TP"
    one = last(text, LLM="m", TP="2")
    assert words(one) == ["python3", "-m", "vllm", "--model", "m", "-tp=2"]
    assert (one.env["VLLM_USE_V1"].value, one.working_dir) == ("1", "/models")
    assert "backslash" in one.problems[0]


def test_blank_after_the_backslash_ends_the_command_as_it_does_in_the_shell() -> None:
    ran = processes(launch("sh", "-c", "vllm serve m \\ \n  --tp 2"))
    assert [words(one) for one in ran] == [["vllm", "serve", "m", " "], ["--tp", "2"]]
    assert "command ends there" in ran[0].problems[0]


def test_kubelet_variables_come_before_the_shell_and_unset_ones_become_commands() -> None:
    env = {"LEADER": variable("LEADER", "pod-0"), "KEY": variable("KEY", None, "from a Secret")}
    token = kubernetes_expand(Token("serve --addr $(LEADER):1 --n $(SIZE) --key $(KEY) --port 1", HERE), env)
    (one,) = processes(Launch((Token("sh", HERE), Token("-c", HERE), token), HERE, env=env))
    assert words(one) == ["serve", "--addr", "pod-0:1", "--n", "$(SIZE)", "--key", "$(KEY)", "--port", "1"]
    assert reasons(one) == {"$(SIZE)": "expanded at run time from $(SIZE)", "$(KEY)": "from a Secret"}
    assert [place.path for place in one.argv[2].via] == ["env.LEADER"]
    assert all(not one.argv[index].via for index in (0, 1, 7, 8))


def test_flags_belong_to_their_own_program() -> None:
    assert script("bash /x/multi.sh leader --ray_cluster_size=2;\n python3 -m vllm --tensor-parallel-size 8") == [
        ["bash", "/x/multi.sh", "leader", "--ray_cluster_size=2"],
        ["python3", "-m", "vllm", "--tensor-parallel-size", "8"],
    ]


def test_engine_at_the_end_of_a_long_chain() -> None:
    text = """ulimit -n 65536 && echo start && eval "$RAY_START" &
    echo wait && until curl --fail http://127.0.0.1:8265 > /dev/null 2>&1; do echo "$(date)"; sleep 2; done &&
    echo up && vllm serve m \\
      --dtype half
    """
    assert script(text, RAY_START="ray start --head --block") == [
        ["ray", "start", "--head", "--block"],
        ["curl", "--fail", "http://127.0.0.1:8265"],
        ["sleep", "2"],
        ["vllm", "serve", "m", "--dtype", "half"],
    ]
    assert not last(text).conditional


def test_config_written_by_a_heredoc_and_filled_in_by_sed() -> None:
    text = """cat > /tmp/c.yaml <<'END'
    backend: pytorch
    kv:
      fraction: __FRACTION__
    END
END
sed -i 's/^    //' /tmp/c.yaml
sed -i -e "s/__FRACTION__/${FRACTION}/g" -e 's|^END$||' /tmp/c.yaml
trtllm-serve m --config /tmp/c.yaml"""
    one = last(text, FRACTION="0.90")
    assert one.files["/tmp/c.yaml"].text == "backend: pytorch\nkv:\n  fraction: 0.90\n\n"


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("cat <<EOF > /f\na: $A\nb: \\$A\nEOF", "a: 1\nb: $A\n"),
        ("cat <<-EOF > /f\n\ta: $A\n\tEOF", "a: 1\n"),
        ("tee /f <<'EOF'\n$A\nEOF", "$A\n"),
        ("echo a: 1 > /f; echo b: $A >> /f", "a: 1\nb: 1\n"),
        ("echo -n x > /f", "x"),
        ("printf 'a: %s\\n' $A > /f", "a: 1\n"),
        ("{ echo a; echo b; } > /f", "a\nb\n"),
        ("echo 'v: $A' | envsubst > /f", "v: 1\n"),
        ("cat /given > /f", "given\n"),
        ("cp /given /f", "given\n"),
        ("cat > /f <<< hello", "hello\n"),
        ("sed 's/gi/f/' < /given | tee /f", "fven\n"),
        ("sed -i 's/g.*n/&&/' /given; echo x > /f", "x\n"),
    ],
)
def test_files_that_the_script_writes(text: str, content: str) -> None:
    env = {"A": variable("A", "1")}
    given = {"/given": Content("given\n", HERE)}
    argv = (Token("bash", HERE), Token("-c", HERE), Token(text + "\nserve", HERE))
    assert processes(Launch(argv, HERE, env=env, files=given))[-1].files["/f"].text == content


def test_files_whose_content_cannot_be_told() -> None:
    assert "/f" not in last("generate > /f; serve").files
    assert "/f" not in last("echo a > /f; generate >> /f; serve").files
    one = last("echo a > /f; sed -i '/x/d' /f; serve")
    assert "/f" not in one.files
    assert "/f" in one.problems[0]
    one = last('echo "ip: $(hostname -i) port: 1" > /f; sed -i s/1/2/ /f; serve')
    assert one.files["/f"].text == "ip: $(hostname -i) port: 2\n"
    assert one.files["/f"].unknown == {"$(hostname -i)": "expanded at run time from $(hostname -i)"}


# -- the shell's own rules -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "argv"),
    [
        ("x a'b c'\"d e\"f", ["x", "ab cd ef"]),
        ("x $A \"$A\" '$A'", ["x", "p", "q", "p q", "$A"]),
        ("x pre$A", ["x", "prep", "q"]),
        ("x ''", ["x", ""]),
        ("x $EMPTY", ["x"]),
        ('x "$EMPTY"', ["x", ""]),
        ("x ${EMPTY:-d e} ${EMPTY-n} ${A:+y}", ["x", "d", "e", "y"]),
        ('x "${NONE:-d e}" ${NONE-f} ${NONE:+y}', ["x", "d e", "f"]),
        ("x ${N:=v} $N", ["x", "v", "v"]),
        (
            "x ${P#*/} ${P##*/} ${P%/*} ${P%%/*} ${P#a} ${P/b/X} ${P//\\//-}",
            ["x", "b/c.d", "c.d", "a/b", "a", "/b/c.d", "a/X/c.d", "a-b-c.d"],
        ),
        ("x ${P:2} ${P:2:1} ${P: -3} ${#P} ${W^^} ${W,,}", ["x", "b/c.d", "b", "c.d", "7", "WORD", "word"]),
        ("x $((1+2*3)) $((10/3)) $((-7/2)) $((N2*2)) $(( (1+1)*4 ))", ["x", "7", "3", "-3", "8", "8"]),
        ("a=(1 2); a+=(3 '4 5'); x ${#a[@]} \"${a[@]}\"", ["x", "4", "1", "2", "3", "4 5"]),
        ('a=(1 "2 3"); x ${a[@]} "${a[*]}" ${a[1]} $a', ["x", "1", "2", "3", "1 2 3", "2", "3", "1"]),
        ('a=(); x "${a[@]}" end', ["x", "end"]),
        ('set -- 1 "2 3"; x "$@" $# $2', ["x", "1", "2 3", "2", "2", "3"]),
        ("set -- 1 2 3; shift; x $@", ["x", "2", "3"]),
        ('V=A; x "${!V}"', ["x", "p q"]),
        ("B=$A; B+=' r'; x $B", ["x", "p", "q", "r"]),
        ("B='--a \"b c\"'; x $B", ["x", "--a", '"b', 'c"']),
        ("B='--a \"b c\"'; eval x $B", ["x", "--a", "b c"]),
        ('f() { x "$2"; }; f 1 2', ["x", "2"]),
        ('function f { x "$1"; }\nf 1', ["x", "1"]),
        ("x $(echo a b) \"$(cat <<< 'c d')\"", ["x", "a", "b", "c d"]),
        ("x 1 # not 2", ["x", "1"]),
        ("x 1#2", ["x", "1#2"]),
        ("x $'a\\tb'", ["x", "a\tb"]),
        ('x a\\ b \\$A "\\$A \\\\ \\n"', ["x", "a b", "$A", "$A \\ \\n"]),
        ("x a\\\nb", ["x", "ab"]),
        ("x --p {1..3} *.txt ~/m", ["x", "--p", "{1..3}", "*.txt", "~/m"]),
        ("x > /dev/null 2>&1 a &> log b", ["x", "a", "b"]),
        ("time x 1", ["x", "1"]),
        ("! x 1", ["x", "1"]),
        ("if true; then y=1; else y=2; fi; x $y", ["x", "1"]),
        ('if [ "$W" = "WorD" ] && [ -n "$A" ]; then x yes; else x no; fi', ["x", "yes"]),
        ("if [ $N2 -gt 4 ]; then x yes; else x no; fi", ["x", "no"]),
        ("if [[ $P == a/* && ! -z $P ]]; then x yes; fi", ["x", "yes"]),
        ("case $P in b*) x b;; a*|c) x a;; *) x other;; esac", ["x", "a"]),
        ("false || x 1", ["x", "1"]),
        ("true && x 1", ["x", "1"]),
        ("(B=2; true); x ${B:-unset}", ["x", "unset"]),
        ("x redacted:0123456789abcdef", ["x", "redacted:0123456789abcdef"]),
        ('x "a ${NONE:-\'q\' "r"} b"', ["x", "a 'q' r b"]),
        ("command x 1", ["x", "1"]),
        ("export B=1; x $B", ["x", "1"]),
        ("x `", ["x", "`"]),
    ],
)
def test_one_command(text: str, argv: list[str]) -> None:
    env = {"A": "p q", "EMPTY": "", "P": "a/b/c.d", "W": "WorD", "N2": "4"}
    assert [one for one in script(text, **env) if one[0] != "cat"] == [argv]


def test_exports_reach_the_process_and_plain_variables_do_not() -> None:
    one = last("A=1; export B=2 C; C=3; D=4 serve; set -a; E=5; unset GONE; serve", GONE="x", SET="old")
    assert {name: value.value for name, value in one.env.items()} == {
        "A": "1",
        "B": "2",
        "C": "3",
        "E": "5",
        "SET": "old",
    }
    first = processes(launch("sh", "-c", "A=1; SET=new; D=4 serve", env={"SET": "old"}))[0]
    assert {name: value.value for name, value in first.env.items()} == {"SET": "new", "D": "4"}


def test_inner_shell_sees_only_what_is_exported() -> None:
    one = last("A=1; export B=2; sh -c 'serve ${A:-none} $B'")
    assert words(one) == ["serve", "none", "2"]


def test_exec_ends_the_script_and_so_does_exit() -> None:
    assert script("exec vllm serve m; never") == [["vllm", "serve", "m"]]
    assert script("a; exit 0; never") == [["a"]]
    assert script('[ -z "$M" ] && exit 1; if [ -n "$M" ]; then exec a; fi; never', M="x") == [["a"]]


def test_guard_that_ends_the_script_leaves_the_rest_unconditional() -> None:
    one = last('if [ ! -f /model ]; then echo missing; exit 1; fi\n[ -n "$X" ] || exit 1\ncurl x || exit 1\nserve m')
    assert words(one) == ["serve", "m"]
    assert not one.conditional


def test_branches_that_no_source_decides() -> None:
    first, second, third = processes(
        launch("sh", "-c", 'if [ "$ROLE" = leader ]; then exec lead; else TP=2; fi; A="--x"; work $A $TP || help')
    )
    assert (words(first), first.conditional) == (["lead"], True)
    assert (words(second), second.conditional) == (["work", "--x", "2"], True)
    assert (words(third), third.conditional) == (["help"], True)


def test_value_that_depends_on_a_condition_is_unknown_and_says_why() -> None:
    one = last('ARGS=(--a); M=m; if [ -n "$X" ]; then ARGS+=(--b 2); M=n; T=1; fi; serve $M "${ARGS[@]}" $T')
    assert words(one) == ["serve", "${M}", "--a", "--b", "2", "1"]
    assert set(reasons(one)) == {"${M}", "--b", "2", "1"}
    assert all('[ -n "$X" ]' in reason for reason in reasons(one).values())


def test_loops() -> None:
    assert script("for i in 1 2; do serve --rank $i & done; wait") == [
        ["serve", "--rank", "1"],
        ["serve", "--rank", "2"],
    ]
    one = last("for f in /models/*; do serve $f; done")
    assert one.conditional
    assert reasons(one) == {"${f}": "f changes with every turn of a loop"}
    one = last("N=1; while check; do N=2; done; serve $N")
    assert list(reasons(one)) == ["${N}"]


def test_unknown_words_say_why() -> None:
    env = {"KEY": variable("KEY", None, "from Secret llm, key token")}
    text = "serve --tp $(nvidia-smi -L | wc -l) --n `nproc` --m $((G*2)) --k $KEY --h $HOSTNAME ${X?no} ${Y/a/b}"
    one = processes(Launch((Token("sh", HERE), Token("-c", HERE), Token(text, HERE)), HERE, env=env))[0]
    assert reasons(one) == {
        "$(nvidia-smi -L | wc -l)": "expanded at run time from $(nvidia-smi -L | wc -l)",
        "`nproc`": "expanded at run time from `nproc`",
        "$((G*2))": "calculated at run time from $((G*2))",
        "${KEY}": "from Secret llm, key token",
        "${HOSTNAME}": "${HOSTNAME} is known only at run time",
        "${X}": "variable X is not set in any source seen",
        "${Y/a/b}": "expanded at run time from ${Y/a/b}",
    }


@pytest.mark.parametrize(
    "text",
    [
        "serve 'open",
        'serve "open',
        "serve $(open",
        "if a; then serve",
        "serve ${open",
        "cat <<EOF\nx",
        "serve )",
        "a; fi; serve",
    ],
)
def test_broken_scripts_are_read_as_far_as_they_go(text: str) -> None:
    ran = processes(launch("sh", "-c", text))
    assert ran[0].problems
    assert ran[0].problems[0].startswith("deploy.yaml:10:5: ")


# -- where it stands -----------------------------------------------------------------------------------------------


MANIFEST = """\
env:
- name: EXTRA
  value: >-
    --kv-cache-dtype=fp8
    --seed 7
- name: TP
  value: "8"
args:
- |
  set -e
  # --tp 8 is too many
  MODEL=org/model
  exec vllm serve $MODEL \\
    --port 8001 --tp $TP \\
    --old-tp 8 --tp 8 $EXTRA
"""


def test_every_word_has_its_place() -> None:
    root = read(MANIFEST, "deploy.yaml").documents[0].root
    texts = [root.get("env", 0, "value"), root.get("env", 1, "value"), root.get("args", 0)]
    nodes = {node.location: node for node in texts}
    env = {
        "EXTRA": Variable("EXTRA", str(texts[0].value), texts[0].location),
        "TP": Variable("TP", str(texts[1].value), texts[1].location),
    }
    argv = (Token("sh", HERE), Token("-c", HERE), Token(str(texts[2].value), texts[2].location))

    def locate(token: Token, fragment: str, after: Location | None) -> Location:
        return nodes[token.location].locate(fragment, after)

    (one,) = processes(Launch(argv, HERE, env=env), locate)
    places = [
        (token.text, token.location.line, token.location.column, [p.line for p in token.via]) for token in one.argv
    ]
    assert places == [
        ("vllm", 13, 8, []),
        ("serve", 13, 13, []),
        ("org/model", 12, 9, [13]),
        ("--port", 14, 5, []),
        ("8001", 14, 12, []),
        ("--tp", 14, 17, []),
        ("8", 7, 10, [14]),
        ("--old-tp", 15, 5, []),
        ("8", 15, 14, []),
        ("--tp", 15, 16, []),
        ("8", 15, 21, []),
        ("--kv-cache-dtype=fp8", 4, 5, [15]),
        ("--seed", 5, 5, [15]),
        ("7", 5, 12, [15]),
    ]
