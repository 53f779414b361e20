import random

import pytest
from homereason_scenes import scene, thing
from told_training import told_training

from training.claims import stages
from training.claims.plan import Budget, plan
from training.claims.registry import CLAIMS
from training.experiments.errors import ExperimentError
from training.experiments.places import Places
from training.experiments.runs import Data
from training.homereason.choose import candidates
from training.homereason.files import write_questions
from training.homereason.question import KINDS
from training.household.taxonomy import load_categories

SCENE = scene(
    thing(1, "mug", 0.1, colour="red"),
    thing(2, "mug", 0.3, colour="blue", size=0.2),
    thing(3, "laptop", 0.5),
    thing(4, "hammer", 0.7),
)


@pytest.fixture
def places(tmp_path):
    found = [
        one
        for seed in range(4)
        for kind in KINDS
        for one in candidates(SCENE, "train", [kind], seed=str(seed))[kind]
    ]
    write_questions(tmp_path / "train.jsonl", found)
    (tmp_path / "frame.npz").write_bytes(b"")
    return Places(
        work=tmp_path,
        frames=tmp_path,
        features=tmp_path,
        questions=(tmp_path / "train.jsonl",),
        scored=tmp_path,
    )


def by_id(**changes):
    data = Data(training="t", scored="s", split="val", **changes)
    return {run.id: run for run in plan(list(CLAIMS), [3], budget=Budget(), data=data)}


def test_referring_words_name_their_thing(places):
    draw = stages.referring_intents(places)
    rng = random.Random(0)
    drawn = {draw(rng) for _ in range(100)}
    titles = list(load_categories())
    assert {titles[target.category] for target, _ in drawn} == {"mug"}, "only mugs have a rival"
    assert all("mug" in text or "cup" in text for _, text in drawn), drawn


def test_no_referring_question_is_an_error(places, tmp_path):
    write_questions(tmp_path / "train.jsonl", candidates(SCENE, "train", ["explicit"])["explicit"])
    with pytest.raises(ExperimentError, match="no referring question"):
        stages.referring_intents(places)


def test_the_samples_of_a_run(places, monkeypatch):
    runs = by_id()
    few, one = (runs[f"seed3/finetune/{name}"] for name in ("few", "few_one_wording"))
    with pytest.raises(ExperimentError, match="239 reasoning samples"):
        stages.samples_of(few, places)
    for run in (few, one):
        monkeypatch.setitem(run.settings, "samples", 5)
    several, single = stages.samples_of(few, places), stages.samples_of(one, places)
    assert [s.question for s in several] == [s.question for s in single]
    assert all(not s.others for s in single)
    assert any(s.others for s in several)
    assert stages.samples_of(runs["seed3/finetune/continued"], places) == []
    (places.features / "frame.npz").unlink()
    with pytest.raises(ExperimentError, match="hold 0"):
        stages.samples_of(few, places)


def test_stages_are_told_what_the_variant_says(places, monkeypatch):
    told = []
    monkeypatch.setattr("training.tiny.stage_text.train", lambda **given: told.append(given))
    runs = by_id()
    for name in ("free", "free_no_semantic", "free_no_text"):
        stages.train_text(runs[f"seed3/text/{name}"], places)
    free, referring, no_text = told
    assert free["explicit_share"] == 1.0
    assert free["draw"] is None
    assert free["small_talk_rows"] > 0
    assert free["seed"] == 3
    assert referring["draw"] is not None
    assert no_text["small_talk_rows"] == 0


def test_a_fine_tuning_begins_with_its_base(places, monkeypatch):
    told = told_training(monkeypatch)
    runs = by_id()
    joint, tuned = runs["seed3/joint/free_no_text"], runs["seed3/finetune/few_no_text"]
    monkeypatch.setitem(tuned.settings, "samples", 4)
    stages.train_joint(joint, places)
    stages.train_joint(tuned, places)
    base, after = told
    assert base["ran"]
    assert after["ran"]
    assert base["start"] is None
    assert after["start"] == base["out"] / "optimiser.pt"
    assert base["recipe"].small_talk_share == after["recipe"].small_talk_share == 0.0
    assert after["recipe"].questions == Budget().finetune_questions
    kinds = {one.kind for one in after["questions"].draw("frame", 50, random.Random(0))}
    assert kinds & {"implicit_short", "implicit_long", "imperative"}
    before = {one.kind for one in base["questions"].draw("frame", 50, random.Random(0))}
    assert before == kinds - {"implicit_short", "implicit_long", "imperative"}
