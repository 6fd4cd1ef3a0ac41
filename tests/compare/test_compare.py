"""What counts as a difference, and what never does."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from askew.compare.compare import compare
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.resolve.observation import Observation, Origin, Unknown
from askew.resolve.resolve import resolve
from askew.resolve.workload import Snapshot, Workload

AT = Location(source="deploy.yaml", line=1, column=1)


def snapshot(*observations: Observation) -> Snapshot:
    workload = Workload(namespace="prod", kind="Deployment", name="llm", location=AT)
    return Snapshot(workload=workload, id=workload.id, facts=resolve(observations))


def observed(fact: str, value: Value | Unknown, origin: Origin = "explicit", **more: object) -> Observation:
    return Observation(fact=fact, value=value, origin=origin, locations=(AT,), **more)  # type: ignore[arg-type]


def found(a: Snapshot, b: Snapshot, mode: str = "peers") -> list[tuple[str, str, str]]:
    return [(d.fact.key, d.key, d.confidence) for d in compare(a, b, mode).differences]  # type: ignore[arg-type]


def test_equal_meaning_is_silent_whatever_its_origin():
    assert not found(
        snapshot(observed("runtime.dtype", "bfloat16")),
        snapshot(observed("runtime.dtype", "bfloat16", "engine-default")),
    )


def test_different_values_are_a_difference():
    assert found(snapshot(observed("runtime.dtype", "bfloat16")), snapshot(observed("runtime.dtype", "float16"))) == [
        ("runtime.dtype", "", "certain")
    ]


def test_an_explicit_value_against_an_unresolved_one_is_possible_both_ways():
    a = snapshot(observed("runtime.max_model_len", 8192))
    b = snapshot(observed("runtime.max_model_len", Unknown("depends on the model's configuration"), "engine-default"))
    assert found(a, b) == found(b, a) == [("runtime.max_model_len", "", "possible")]


def test_what_no_source_shows_is_unverified_not_different():
    result = compare(snapshot(observed("hardware.gpu.count", 4)), snapshot())
    assert not result.differences
    assert [(u.fact.key, u.side) for u in result.unverified] == [("hardware.gpu.count", "target")]
    assert (result.declared, result.verified, result.unknown) == (1, 0, 1)


def test_a_default_nobody_insists_on_is_neither():
    a = snapshot(observed("runtime.max_num_seqs", 256, "engine-default"))
    b = snapshot(observed("runtime.max_num_seqs", Unknown("depends on the GPU"), "engine-default"))
    result = compare(a, b)
    assert not result.differences
    assert not result.unverified
    assert result.unknown == 1


def test_two_expansions_are_equal_only_when_written_alike():
    def side(text: str) -> Snapshot:
        return snapshot(
            observed("runtime.tensor_parallel_size", Unknown(f"expanded at run time from {text}", text=text))
        )

    assert not found(side("$(nproc)"), side("$(nproc)"))
    assert found(side("$(nproc)"), side("$(nvidia-smi -L | wc -l)")) == [
        ("runtime.tensor_parallel_size", "", "possible")
    ]


def test_maps_are_compared_key_by_key_and_a_missing_key_is_absent():
    a = snapshot(observed("runtime.env", {"NCCL_P2P_DISABLE": "1", "OMP_NUM_THREADS": "8"}))
    b = snapshot(observed("runtime.env", {"NCCL_P2P_DISABLE": "0"}))
    assert found(a, b) == [
        ("runtime.env", "NCCL_P2P_DISABLE", "certain"),
        ("runtime.env", "OMP_NUM_THREADS", "certain"),
    ]


def test_a_contract_constrains_only_the_keys_it_declares():
    contract = snapshot(observed("runtime.env", {"OMP_NUM_THREADS": "8"}, "contract"))
    target = snapshot(
        observed("runtime.env", {"OMP_NUM_THREADS": "8", "NCCL_P2P_DISABLE": "1"}), observed("runtime.seed", 1)
    )
    assert not found(contract, target, "contract")
    assert found(contract, target) != []


def test_gpu_sets_against_a_contract():
    contract = snapshot(observed("hardware.gpu.model", ["h100-80gb-pcie", "h100-80gb-sxm"], "contract"))

    def target(*gpus: str) -> Snapshot:
        return snapshot(observed("hardware.gpu.model", list(gpus)))

    assert not found(contract, target("h100-80gb-sxm"), "contract")
    assert found(contract, target("a100-40gb-pcie"), "contract") == [("hardware.gpu.model", "", "certain")]
    overlap = compare(contract, target("a100-40gb-pcie", "h100-80gb-sxm"), "contract")
    assert not overlap.differences
    assert [u.fact.key for u in overlap.unverified] == ["hardware.gpu.model"]


def test_equal_digests_make_tags_irrelevant():
    def side(tag: str, digest: str) -> Snapshot:
        return snapshot(observed("runtime.image.tag", tag), observed("runtime.image.digest", digest))

    one, other = "sha256:" + "a" * 64, "sha256:" + "b" * 64
    assert not found(side("v1", one), side("v2", one))
    assert {fact for fact, _, _ in found(side("v1", one), side("v2", other))} == {
        "runtime.image.digest",
        "runtime.image.tag",
    }


FACTS = st.lists(
    st.builds(
        observed,
        st.sampled_from(["runtime.max_model_len", "runtime.seed", "runtime.reasoning_parser"]),
        st.one_of(
            st.integers(1, 3),
            st.none(),
            st.builds(Unknown, st.sampled_from(["x", "y"]), text=st.sampled_from(["", "$A", "$B"])),
        ),
        st.sampled_from(["explicit", "env", "engine-default"]),
    ),
    max_size=5,
)


@settings(max_examples=200, deadline=None)
@given(FACTS)
def test_a_snapshot_compared_with_itself_is_silent(observations):
    assert not compare(snapshot(*observations), snapshot(*observations)).differences


@settings(max_examples=200, deadline=None)
@given(FACTS, FACTS)
def test_peers_are_symmetric(left, right):
    a, b = snapshot(*left), snapshot(*right)
    assert found(a, b) == found(b, a)


def test_an_option_that_nobody_set_moves_with_the_release_only():
    def side(version: str, servers: str | None) -> Snapshot:
        option = observed("runtime.arguments.unmapped", servers, "engine-default", key="--api-server-count")
        return snapshot(observed("runtime.engine.version", version), option)

    assert not found(side("0.33.0", "1"), side("0.33.0", "2"))
    assert len(found(side("0.14.0", "1"), side("0.33.0", "2"))) == 2


def test_digests_of_two_algorithms_are_neither_equal_nor_different():
    values = ("sha256-tensors-sampled:" + "0a" * 32, "sha256-tensors:" + "0b" * 32, "sha256-tensors:" + "0c" * 32)
    sampled, full, other = (snapshot(observed("model.weights.digest", value, "measured")) for value in values)
    for one, two in ((sampled, full), (full, sampled)):
        result = compare(one, two)
        assert not result.differences and not result.verified
        assert [u.resolved.state for u in result.unverified] == ["unknown"]
        assert not found(one, two, "contract")
    assert found(full, other) == [("model.weights.digest", "", "certain")]
