"""A mapping that was read elsewhere than what surrounds it keeps its own place."""

from __future__ import annotations

import pytest

from askew.evidence.archive import ArchiveError
from askew.evidence.document import Document, MarkedList, MarkedMap, MixedList, MixedMap, Placed, wrap
from askew.evidence.location import Location
from askew.evidence.packing import Packer, Unpacker
from askew.evidence.yaml import read


def test_locations_below_a_placed_mapping_begin_at_its_place() -> None:
    place = Location("k8s://c", path="spec.template", object="apps/v1 ReplicaSet prod/llm-1")
    live = {"spec": {"replicas": 2, "template": Placed({"spec": {"containers": [{"args": ["a"]}]}}, place)}}
    root = wrap(live, "k8s://c").with_object("apps/v1 Deployment prod/llm")
    argument = root.get("spec", "template", "spec", "containers", 0, "args", 0)
    assert argument.location == Location(
        "k8s://c", path="spec.template.spec.containers[0].args[0]", object="apps/v1 ReplicaSet prod/llm-1"
    )
    assert dict(root["spec"].items())["template"].location == place
    assert root["spec"]["replicas"].location.object == "apps/v1 Deployment prod/llm"
    assert str(argument.location) == "k8s://c ReplicaSet prod/llm-1 spec.template.spec.containers[0].args[0]"


def mixed() -> Document:
    """A document of which an entry and an item stand elsewhere."""
    (document,) = read(b"spec:\n  size: 1\n  args: [a, b]  # two\n", "f.yaml", dialect="kubectl").documents
    spec, made, args = document.root["spec"].value, MixedMap(), MixedList()
    assert isinstance(spec, MarkedMap) and isinstance(spec["args"], MarkedList)
    made.update(size=spec["size"], args=args, more={"deep": [1]})
    made.marks, made.others = spec.marks, {"more": Location("k8s://c", "spec.more", object="v1 A b")}
    args.extend(["a", "x", "b"])
    args.marks = [spec["args"].marks[0], -1, spec["args"].marks[1]]
    args.others = {1: Location("k8s://c", "spec.args[7]", object="v1 A b")}
    root = document.root.value
    assert isinstance(root, MarkedMap)
    root["spec"] = made
    return document


def places(document: Document) -> list[str]:
    spec = document.root.with_object("v1 A b")["spec"]
    nodes = [*spec["args"], spec["args"][-2], spec["size"], spec["more"]["deep"][0], dict(spec.items())["more"]]
    return [f"{one.value} {one.location} {one.location.path} {one.key_location.line}" for one in nodes]


def test_what_was_read_elsewhere_stands_there() -> None:
    document = mixed()
    assert places(document) == [
        "a f.yaml:3:10 spec.args[0] 3",
        "x k8s://c A b spec.args[7] spec.args[7] 0",
        "b f.yaml:3:13 spec.args[2] 3",
        "x k8s://c A b spec.args[7] spec.args[7] 0",
        "1 f.yaml:2:9 spec.size 2",
        "1 k8s://c A b spec.more.deep[0] spec.more.deep[0] 0",
        "{'deep': [1]} k8s://c A b spec.more spec.more 0",
    ]
    assert list(document.comments()) == [(3, "# two")]
    assert document.root["spec"]["args"][1].source_map() is None


def test_a_bundle_keeps_both_places() -> None:
    packer = Packer("p")
    line = packer.document(mixed())
    (again,) = Unpacker(packer.index, dict(packer.members)).documents(line)
    assert places(again) == places(mixed())
    assert type(again.root["spec"].value) is MixedMap
    hostile = line.replace(b'"o":[[1,', b'"o":[[9,')
    assert hostile != line
    with pytest.raises(ArchiveError, match="the place of an entry that is not there"):
        list(Unpacker(packer.index, dict(packer.members)).documents(hostile))
