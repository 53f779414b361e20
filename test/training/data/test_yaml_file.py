from __future__ import annotations

import pytest

from training.data.errors import ConfigError
from training.data.yaml_file import read_yaml


@pytest.fixture
def write(tmp_path):
    def one(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return one


def read(path):
    return read_yaml(path, example="some/example.yaml")


def test_a_file_without_a_base_is_as_it_is(write):
    assert read(write("a.yaml", "a: 1\nb: null\n")) == {"a": 1, "b": None}
    assert read(write("b.yaml", "- base\n")) == ["base"]


def test_mappings_are_merged_and_all_else_is_replaced(write):
    write("base.yaml", "a: 1\nlist: [1, 2]\ndeep: {x: {p: 1, q: 2}, y: 3}\n")
    text = "base: ../base.yaml\nlist: [3]\ndeep: {x: {q: 5, r: 6}, z: {k: 1}}\n"
    assert read(write("sub/one.yaml", text)) == {
        "a": 1,
        "list": [3],
        "deep": {"x": {"p": 1, "q": 5, "r": 6}, "y": 3, "z": {"k": 1}},
    }


def test_the_order_is_the_bases(write):
    """Families are drawn in the order of the file."""
    write("base.yaml", "f: {one: {r: 1}, two: {r: 2}, three: {r: 3}}\n")
    values = read(write("a.yaml", "base: base.yaml\nf: {three: {r: 4}, two: null}\n"))
    assert list(values["f"].items()) == [("one", {"r": 1}), ("three", {"r": 4})]


def test_a_base_may_have_a_base(write):
    write("a.yaml", "x: 1\ny: 1\nz: 1\n")
    write("b/b.yaml", "base: ../a.yaml\ny: 2\nz: 2\n")
    assert read(write("c.yaml", "base: b/b.yaml\nz: 3\n")) == {"x": 1, "y": 2, "z": 3}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a.yaml": "base: b.yaml"}, r"a\.yaml: base .*b\.yaml is missing; some/example\.yaml"),
        ({"a.yaml": "base: 3"}, "base must be the path of a file, got 3"),
        ({"a.yaml": "base: a.yaml"}, r"goes round in a circle: a\.yaml -> a\.yaml"),
        (
            {"a.yaml": "base: b.yaml", "b.yaml": "base: c.yaml", "c.yaml": "base: ./b.yaml"},
            r"c\.yaml: base goes round in a circle: b\.yaml -> c\.yaml -> b\.yaml",
        ),
        ({"a.yaml": "base: b.yaml", "b.yaml": "- 1"}, r"base b\.yaml must be a mapping"),
        ({"a.yaml": "base: b.yaml", "b.yaml": "x: ["}, r"base .*b\.yaml is not YAML"),
        (
            {"a.yaml": "base: b.yaml\nx: {y: null}", "b.yaml": "x: {z: 1}"},
            r"a\.yaml: x\.y is null, but the base has no such key",
        ),
    ],
)
def test_what_is_wrong_is_named(write, files, said):
    paths = [write(name, text) for name, text in files.items()]
    with pytest.raises(ConfigError, match=said):
        read(paths[0])
