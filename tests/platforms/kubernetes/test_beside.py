"""Finding what stands beside an object looks at one namespace only, and finds what looking at all would."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from askew.evidence.yaml import read
from askew.platforms.kubernetes.objects import index, may_share_namespace

NAMESPACES = st.sampled_from(["", "default", "a", "b"])


@given(st.lists(st.tuples(st.sampled_from(["Service", "Namespace"]), NAMESPACES), max_size=12))
def test_beside_is_every_object_that_may_share_a_namespace(shapes: list[tuple[str, str]]) -> None:
    text = "---\n".join(
        f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: n{number}{f', namespace: {home}' if home else ''}}}\n"
        for number, (kind, home) in enumerate(shapes)
    )
    objects = index(read(text, "f").documents)
    for origin in objects:
        found = objects.beside(origin, "", "Service")
        assert found == tuple(one for one in objects.of("", "Service") if may_share_namespace(origin, one))
