"""The environment as engines read it: a variable that only carried arguments is said by these."""

from __future__ import annotations

import pytest

from askew.engines.observe import environment
from askew.evidence.launch import Launch, Token, Variable
from askew.evidence.location import Location

SCRIPT = Location("deploy.yaml", path="command[2]", line=10, column=5)
NAMED = Location("deploy.yaml", path="env[0].value", line=14, column=7)
INSIDE = Location("deploy.yaml", path="env[0].value", line=15, column=20)
ENTRY = Location("deploy.yaml", path="data.args", line=30, column=9)


def kept(
    name: str,
    value: str | None,
    words: list[Token],
    *,
    reads: tuple[str, ...] = (),
    via: tuple[Location, ...] = (),
    unknown: str | None = None,
) -> bool:
    variable = Variable(name, value, NAMED, unknown, via)
    launch = Launch(argv=(Token("vllm", SCRIPT), *words), location=SCRIPT, env={name: variable})
    return [one.key for one in environment(launch, reads=reads)] == [name]


EXPANDED = [Token("--max-num-seqs", INSIDE, via=(SCRIPT,)), Token("48", INSIDE, via=(SCRIPT,))]


def test_a_variable_that_became_arguments_is_said_by_them():
    assert not kept("VLLM_ADDITIONAL_ARGS", "--max-num-seqs 48", EXPANDED)
    assert not kept("VLLM_SEQS", "48", EXPANDED, reads=("VLLM_PORT",))


def test_kubernetes_puts_the_value_into_one_word():
    word = Token("--max-model-len=8192", SCRIPT, via=(NAMED,))
    assert not kept("VLLM_LENGTH", "8192", [word], reads=("VLLM_PORT",))
    from_entry = Token("--enforce-eager", SCRIPT, via=(ENTRY,))
    assert not kept("SGLANG_EXTRA_ARGS", "--enforce-eager", [from_entry], via=(ENTRY,))


@pytest.mark.parametrize(
    ("name", "value", "words", "reads"),
    [
        ("VLLM_PORT", "48", EXPANDED, ("VLLM_PORT",)),  # the engine reads it itself, too
        ("NCCL_ALGO", "48", EXPANDED, ("VLLM_PORT",)),  # a library may
        ("VLLM_SEQS", "48", EXPANDED, ()),  # nobody knows the engine's variables
        ("VLLM_ADDITIONAL_ARGS", "--max-num-seqs 48 --seed 1", EXPANDED, ()),  # a part of it was not used
        ("VLLM_ADDITIONAL_ARGS", "--max-num-seqs 48", [Token("--max-num-seqs", SCRIPT), Token("48", SCRIPT)], ()),
        ("VLLM_ADDITIONAL_ARGS", "48", [Token("48", NAMED)], ()),  # beside it in one script
        ("VLLM_ADDITIONAL_ARGS", "--x '", EXPANDED, ()),
        ("VLLM_ADDITIONAL_ARGS", "", EXPANDED, ()),
        ("VLLM_ADDITIONAL_ARGS", None, EXPANDED, ()),
    ],
)
def test_any_other_variable_stays(name, value, words, reads):
    assert kept(name, value, words, reads=reads)


def test_a_value_that_is_not_final_stays():
    assert kept("VLLM_ADDITIONAL_ARGS", "--max-num-seqs 48", EXPANDED, unknown="expanded at run time")
