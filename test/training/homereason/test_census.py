import json

import pytest

from training.experiments.errors import ExperimentError
from training.homereason import stats
from training.homereason.census import count, frames_table, licences_table, main
from training.homereason.files import write_questions
from training.homereason.question import Question


def frame(folder, name, *, scene="1", room="kitchen", things=(("mug", "M1"),), width=640):
    folder.mkdir(parents=True, exist_ok=True)
    instances = [
        {"id": k, "category": category, "model": model, "area": 100.0}
        | {"licence": "CC0 1.0" if model == "M1" else "CC BY 3.0", "creator": f"by {model}"}
        for k, (category, model) in enumerate(things, start=1)
    ]
    value = {"scene": scene, "room": room, "view": "near", "width": width, "height": 480}
    (folder / f"{name}.json").write_text(json.dumps(value | {"instances": instances}))


def cells(table, start):
    (row,) = [one for one in table.splitlines() if one.startswith(f"| {start} |")]
    return [cell.strip() for cell in row.strip("|").split("|")][1:]


@pytest.fixture
def frames(tmp_path):
    data = tmp_path / "frames"
    frame(data / "train", "a")
    frame(data / "train", "b", room="office", width=320, things=(("mug", "M1"), ("fork", "M2")))
    frame(data / "val", "c")
    frame(data / "test", "d", things=(("mug", "M1"), ("teapot", ""), ("no_category", "M3")))
    frame(data / "test_models", "e", scene="2", things=(("mug", "M4"), ("mug", "M1")))
    return data


def test_frames_are_counted_by_split(frames):
    splits = {name: count(frames / name) for name in ("train", "test", "test_models")}
    table = frames_table(splits)
    assert cells(table, "frames") == ["2", "1", "1"]
    assert cells(table, "scenes") == ["1", "1", "1"]
    assert cells(table, "rooms") == ["kitchen 1, office 1", "kitchen", "kitchen"]
    assert cells(table, "pixels")[0] == "640 x 480 1, 320 x 480 1"
    assert cells(table, "categories") == ["2", "2", "1"], "what is no category does not count"
    assert cells(table, "3D models in view") == ["2", "2", "2"]
    assert cells(table, "of these in no training frame") == ["0", "1", "1"]
    # 100 pixels of 320 x 480 are 200 of 640 x 480.
    assert cells(table, "area of a thing [px of 640 x 480]")[:2] == [
        "110 / 200 / 200",
        "100 / 100 / 100",
    ]


def test_licences_count_each_model_once(frames):
    splits = {name: count(frames / name) for name in ("train", "val", "test", "test_models")}
    table = licences_table(splits)
    assert cells(table, "CC0 1.0") == ["1", "1"]
    assert cells(table, "CC BY 3.0") == ["3", "3"]


def test_a_folder_without_frames_is_an_error(tmp_path):
    with pytest.raises(ExperimentError, match="no frames in"):
        count(tmp_path)


def test_the_page_is_filled(frames, tmp_path, capsys):
    page = tmp_path / "page.md"
    names = ("frames", "licences", "questions")
    page.write_text("".join(f"<!-- counts: {one} -->\n<!-- end: {one} -->\n" for one in names))
    asked = Question(
        frame="c",
        kind="explicit",
        text="the mug",
        targets=((1,),),
        categories=("mug",),
        answer="[SEG]",
        proof=("category",),
        subset="a",
    )
    folder = tmp_path / "frames_questions"
    write_questions(folder / "val.jsonl", [asked])
    assert list(stats.read(folder)) == ["val"]
    assert main(["--frames", str(frames), "--write", str(page)]) == 0
    assert "| val | (a) unseen scenes" in page.read_text()
    assert "| CC0 1.0 | 1 | 1 |" in page.read_text()
    assert main(["--frames", str(tmp_path)]) == 1
    assert "homereason: no frames in" in capsys.readouterr().err
