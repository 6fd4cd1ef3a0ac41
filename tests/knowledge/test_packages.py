"""What is known to matter between releases of libraries: every line has a source, and says when it holds."""

from __future__ import annotations

import pytest

from askew.facts.values.version import compare
from askew.knowledge.packages import applying, catalogue, concern
from askew.platforms.packages.pin import canonical


@pytest.mark.parametrize("one", catalogue(), ids=lambda one: f"{one.package} {one.change} {','.join(one.formats)}")
def test_every_line_is_whole(one):
    assert one.source.startswith("https://") and one.why[0].isprintable() and not one.why.endswith(".")
    assert one.package == canonical(one.package)
    assert one.change.startswith("crosses") == bool(one.at)
    if one.at:
        assert compare(one.at, one.at) == 0


@pytest.mark.parametrize(
    ("package", "training", "serving", "weights", "beside", "severity"),
    [
        ("scikit-learn", "1.2.2", "1.5.0", "pickle", (), "high"),
        ("scikit-learn", "1.5.0", "1.2.2", "pickle", (), "high"),
        ("scikit-learn", "1.2.2", "1.2.0", "pickle", (), None),
        ("scikit-learn", "1.2.2", "1.5.0", "onnx", (), None),
        ("python", "3.10.12", "3.12.1", "pickle", ("cloudpickle",), "high"),
        ("python", "3.10.12", "3.10.4", "pickle", ("cloudpickle",), None),
        ("python", "3.10.12", "3.12.1", "pickle", (), None),
        ("numpy", "2.0.1", "1.26.4", "pickle", (), "high"),
        ("numpy", "1.26.4", "2.0.1", "pickle", (), "medium"),
        ("numpy", "1.26.4", "1.24.0", "pickle", (), None),
        ("xgboost", "2.0.3", "1.7.6", "ubjson", (), "medium"),
        ("xgboost", "1.7.6", "2.0.3", "ubjson", (), None),
        ("torch", "2.5.1", "2.6.0", "pickle", (), "medium"),
        ("torch", "2.6.0", "2.7.0+cu126", "pickle", (), "low"),
        ("torch", "2.6.0+cu124", "2.6.0+cpu", "pickle", (), None),
        ("torch", "2.5.1", "2.6.0", "safetensors", (), "low"),
        ("tokenizers", "0.21.0", "0.19.1", "safetensors", (), "medium"),
        ("tokenizers", "0.19.1", "0.21.0", "safetensors", (), "low"),
        ("keras", "2.15.0", "3.4.1", "hdf5", (), "high"),
        ("flask", "2.0", "3.0", "pickle", (), None),
        ("torch", "nonsense", "2.6.0", "pickle", (), None),
    ],
)
def test_what_a_difference_means(package, training, serving, weights, beside, severity):
    found = concern(package, training, serving, weights, beside)
    assert (found.severity if found else None) == severity


def test_without_a_format_what_depends_on_it_may_apply():
    assert applying("scikit-learn", None, ())
    assert not applying("scikit-learn", "", ())
