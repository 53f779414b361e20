import math
import random
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from random_names import random_names
from safetensors.torch import load_file
from small_head import OUT_DIM, small_head
from small_llm import WIDTH, small_llm

from lisa_model.base_weights import ensure_base_weights
from lisa_model.config import WEIGHTS_FILE, LoraConfig, MaskHeadConfig, preset
from lisa_model.language import LanguageModel, Vocabulary
from lisa_model.model import LisaModel
from lisa_model.reference import no_reference
from training.homereason.question import Question
from training.household.taxonomy import load_categories
from training.tiny import stage_joint
from training.tiny.features import LoadedView, View
from training.tiny.joint_losses import (
    Seg,
    absent_segs,
    as_meant,
    decode_views,
    is_alone,
    shows,
)
from training.tiny.joint_questions import Asked, Target, anchors_of, ask, asked_in_vain
from training.tiny.packing import pack_question
from training.tiny.places import clicks, point_loss, things_loss
from training.tiny.question_store import QuestionStore
from training.tiny.stage_joint import JointRecipe, JointTraining
from training.tiny.tints import TINTS
from training.tiny.views import view_tensors

MUG = list(load_categories()).index("mug")
SUPPORT = next(one.id for one in load_categories().values() if one.role == "support")
CONCEPTS = len(load_categories())
KEY_DIM = 4 + 16
ONE = torch.ones(1, 16)
SIZES = MaskHeadConfig(dim=32, num_heads=4, mlp_dim=32, stem_dim=8, referent_dim=4)


@pytest.fixture(scope="module")
def model():
    return SimpleNamespace(mask_head=small_head(vision_dim=6, referent_dim=4))


@pytest.fixture(scope="module")
def names():
    return random_names(16)


def view(*categories, window=(0.0, 0.0, 1.0, 1.0)):
    """A view of 5 x 6 patches; thing k of the categories covers a column."""
    rng = np.random.default_rng(0)
    ids = np.zeros((40, 48), dtype=np.uint8)
    for k in range(1, len(categories) + 1):
        ids[8:32, 8 * k : 8 * k + 8] = k
    instances = [{"id": k, "category": name} for k, name in enumerate(categories, start=1)]
    described = View(
        path=None, number=0, frame="f", shape=(5, 6), window=window, instances=instances
    )
    return LoadedView(
        view=described,
        vision=rng.normal(size=(6, 5, 6)).astype(np.float16),
        rgb=rng.integers(0, 255, (40, 48, 3), dtype=np.uint8),
        ids=ids,
        window=window,
    )


def seg(row=0, ids=(1,), reference=None):
    return Seg(row, Target(MUG, ids), torch.ones(16), reference or no_reference(ONE, KEY_DIM))


def test_only_what_a_view_shows_whole_is_decoded(model, names):
    seen = view("mug", "fork")
    assert shows(seen, Target(MUG, (1, 2)))
    assert not shows(seen, Target(MUG, (1, 3)))
    terms, found = decode_views(model, None, [seen], [seg(ids=(3,))], names, random.Random(0))
    assert (terms, found) == ({}, 0.0)
    terms, _ = decode_views(model, None, [seen], [seg(ids=(1,))], names, random.Random(0))
    assert {"focal", "dice", "iou", "similarity", "dense", "choice"} <= terms.keys()


def test_absent_things_are_asked_for_without_a_mask(model, names):
    seen = view("mug", "fork")
    segs = absent_segs([seen, seen], names, KEY_DIM, 3, random.Random(0))
    assert [one.row for one in segs] == [0, 0, 0, 1, 1, 1]
    shown = {list(load_categories()).index(name) for name in ("mug", "fork")}
    assert all(one.target.ids == () and one.target.category not in shown for one in segs)
    assert all(not one.reference.which.any() and not one.reference.generic.any() for one in segs)
    assert all(one.reference is None for one in absent_segs([seen], names, 0, 2, random.Random(0)))
    terms, found = decode_views(model, None, [seen, seen], segs, names, random.Random(0))
    assert found == 0.0
    values = {key: float(value.detach()) for key, value in terms.items()}
    assert values["choice"] == values["dice"] == values["dense"] == 0.0
    assert values["iou"] > 0
    assert values["similarity"] > 0


def test_absent_things_do_not_change_which_one_is_meant(model, names):
    seen = view("mug", "fork")
    alone, mine = decode_views(model, None, [seen], [seg()], names, random.Random(0))
    more = [seg(), *absent_segs([seen], names, KEY_DIM, 3, random.Random(0))]
    both, found = decode_views(model, None, [seen], more, names, random.Random(0))
    torch.testing.assert_close(both["choice"], alone["choice"], atol=1e-2, rtol=1e-2)
    assert found == pytest.approx(mine, abs=0.02)


def test_the_likeliest_patch_is_to_be_one_of_the_meant_thing():
    chance = torch.tensor([[[2.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    own = torch.zeros(2, 2, 2, dtype=torch.bool)
    assert float(point_loss(chance, own)) == 0.0, "nothing is to be found"
    own[0, 0] = True
    share = (math.exp(2) + 1) / (math.exp(2) + 3)
    assert float(point_loss(chance, own)) == pytest.approx(-math.log(share))
    own[1, 1, 1] = True
    both = (-math.log(share) + math.log(4)) / 2
    assert float(point_loss(chance, own)) == pytest.approx(both)


def test_clicks_fall_on_the_target():
    grid = torch.arange(8.0).view(2, 2, 2).expand(3, -1, -1, -1)
    own = torch.zeros(3, 2, 2, dtype=torch.bool)
    own[0, 1, 0] = own[1, 0, 0] = own[1, 1, 1] = True
    point = torch.full((3, 2), 9.0)
    drawn = torch.stack([clicks(point, own, grid) for _ in range(30)])
    assert drawn[:, 0].unique(dim=0).tolist() == [[2.0, 6.0]]
    assert drawn[:, 1].unique(dim=0).tolist() == [[0.0, 4.0], [3.0, 7.0]]
    assert drawn[:, 2].unique(dim=0).tolist() == [[9.0, 9.0]]


def test_prompts_that_say_another_thing_give_way_to_the_name(names):
    wanted = torch.tensor([3, 4, -1])
    prompts = (0.5 * names[[3, 9, 9]]).requires_grad_()
    meant = as_meant(prompts, wanted, names)
    torch.testing.assert_close(meant[[0, 2]], prompts[[0, 2]])
    assert float(meant[1].detach() @ names[4]) > 0.5
    meant.sum().backward()
    assert [bool(row.any()) for row in prompts.grad] == [True, False, True]
    pairs = torch.stack([names[[3, 9]], names[[9, 4]]])
    found = as_meant(pairs, torch.tensor([[3, 3], [-1, 4]]), names)
    torch.testing.assert_close(found[[0, 1, 1], [0, 0, 1]], pairs[[0, 1, 1], [0, 0, 1]])
    assert float(found[0, 1] @ names[3]) > 0.5
    # A blend of two kinds that the words fit means either.
    blend = 0.55 * names[[5]] + 0.45 * names[[6]]
    torch.testing.assert_close(as_meant(blend, torch.tensor([6]), names), blend)


def test_a_thing_is_alone_when_no_other_of_its_kind_is_there():
    assert is_alone(view("mug", "fork"), Target(MUG, (1,)))
    assert not is_alone(view("mug", "mug"), Target(MUG, (1,)))
    assert is_alone(view("mug", "mug"), Target(MUG, (1, 2)))


class Always(random.Random):
    """Drops the reference wherever that is allowed."""

    def random(self):
        return 0.0


def gradient(model, names, seen, rng):
    none = no_reference(ONE, KEY_DIM)
    which = torch.ones(1, KEY_DIM, requires_grad=True)
    said = replace(none, which=which)
    terms, _ = decode_views(model, None, [seen], [seg(reference=said)], names, rng)
    torch.stack([terms["similarity"], terms["dice"]]).sum().backward()
    return 0.0 if which.grad is None else float(which.grad.abs().sum())


def test_a_reference_is_never_dropped_among_several_of_a_kind(model, names):
    assert gradient(model, names, view("mug", "mug"), Always()) > 0
    assert gradient(model, names, view("mug", "fork"), Always()) == 0
    assert gradient(model, names, view("mug", "fork"), random.Random(0)) > 0


def test_whatever_is_meant_by_a_thing_on_a_table_is_never_alone():
    assert is_alone(view("mug", "fork"), Target(MUG, (1,)))
    assert not is_alone(view("mug", "fork"), Target(MUG, (1,), generic=True))


def test_a_part_of_a_frame_is_told_what_the_frame_shows(model, names):
    seen = view("mug", "mug")
    said = replace(no_reference(ONE, KEY_DIM), which=torch.ones(1, KEY_DIM))
    segs, rng = [seg(reference=said)], random.Random(1)
    whole = model.mask_head.encode(*view_tensors([view("fork", "mug", "mug")]))
    inside, _ = decode_views(model, None, [seen], segs, names, rng)
    told, _ = decode_views(model, None, [seen], segs, names, random.Random(1), whole=whole)
    assert inside["similarity"].item() != told["similarity"].item()


def test_a_patch_shows_a_thing_or_none():
    seen = view("mug", SUPPORT)
    right = torch.full((1, 5, 6), -9.0)
    right[0, 1:4, 1] = 9.0
    assert float(things_loss(right, [seen])) < 0.01
    assert float(things_loss(-right, [seen])) > 5
    furniture = right.clone()
    furniture[0, 1:4, 2] = 9.0
    assert float(things_loss(furniture, [seen])) > 0.5


def test_proofs_name_anchors_and_surfaces():
    index = list(load_categories()).index
    here = [
        {"id": 3, "category": "mug"},
        {"id": 7, "category": "fork"},
        {"id": 9, "category": SUPPORT},
    ]
    mug, fork, support = (index(one["category"]) for one in here)
    assert anchors_of(("drink_from: 1, 2", "in_front_of(7)"), here) == ((fork, -1), False)
    assert anchors_of(("drink_from: 1, 2", "right_of of these"), here) == ((-1, -1), False)
    assert anchors_of((f"on {SUPPORT}: 1, 2", "taller"), here) == ((-1, support), True)
    assert anchors_of((f"on {SUPPORT}: 1", "nearest(3)"), here) == ((mug, support), True)
    assert anchors_of((f"on {SUPPORT}: 1", "between(3, 7)"), here) == ((mug, fork), True)
    assert anchors_of(("on counter: 1, 2, 3", "closer"), here) == ((-1, -1), True)
    assert anchors_of(("mug: 1, 2", "left_of(4)"), here) == ((-1, -1), False), "not in the frame"
    assert anchors_of((), here) == ((-1, -1), False)


def test_segs_belong_to_their_own_views(model, names):
    first, second = view("mug"), view("fork", "mug")
    segs = [seg(0, (1,)), seg(1, (2,))]
    terms, _ = decode_views(model, None, [first, second], segs, names, random.Random(0))
    alone, _ = decode_views(model, None, [first], segs[:1], names, random.Random(0))
    other, _ = decode_views(
        model, None, [second], [replace(segs[1], row=0)], names, random.Random(0)
    )
    expected = (alone["dice"] + other["dice"]) / 2
    torch.testing.assert_close(terms["dice"], expected, atol=2e-3, rtol=1e-2)


@pytest.fixture(scope="module")
def vocabulary():
    return Vocabulary.load(ensure_base_weights(preset("lisa-tiny").llm))


def test_what_nothing_fits_is_asked_in_vain(vocabulary, model, names):
    reader = SimpleNamespace(language=SimpleNamespace(vocabulary=vocabulary))
    question = Question(
        frame="f",
        kind="nothing_fits",
        text="the yellow mug",
        targets=(),
        categories=("mug",),
        answer='I see no "yellow mug" in this image.',
        proof=("mug 1 is blue, not yellow",),
    )
    asked = asked_in_vain(reader, question)
    assert asked.targets == (Target(MUG, (), tint=TINTS["yellow"]),)
    assert asked.packed.segs == (len(asked.packed.ids) - 2,)
    begun = asked.packed.ids[asked.packed.answer_start :]
    assert vocabulary.decode(begun) == "It is [SEG]", "whether it is there, the mask head decides"
    # A blue mug is there: without the reference the answer would be right.
    assert not is_alone(view("mug"), asked.targets[0])
    terms, _ = decode_views(model, None, [view("mug")], [seg(ids=())], names, Always())
    assert terms["iou"].item() > 0
    assert terms["dice"].item() == 0


def test_every_question_about_a_thing_is_answered_with_a_seg(vocabulary):
    there = Question(
        frame="f",
        kind="explicit",
        text="the mug",
        targets=((1,),),
        categories=("mug",),
        answer="It is [SEG].",
        proof=("one mug",),
    )
    gone = replace(there, kind="nothing_fits", targets=(), categories=("fork",), answer="None.")
    reader = SimpleNamespace(language=SimpleNamespace(vocabulary=vocabulary))
    store = SimpleNamespace(draw=lambda *_: [there, gone])
    seen = SimpleNamespace(frame="f", instances=view("mug").instances)
    found, free = ask(reader, store, seen, 2, random.Random(0), small_talk_share=0.0)
    assert free
    assert [one.targets[0].ids for one in found] == [(1,), ()]
    assert all(len(one.packed.segs) == 1 for one in found)
    (talk,) = ask(reader, store, seen, 2, random.Random(0), small_talk_share=1.0)[0][2:]
    assert (talk.targets, talk.packed.segs) == ((), ())


def small_model(vocabulary, names, *, concepts):
    """A tiny random LLM in place of the base's, and a mask head to match."""
    config = replace(
        preset("lisa-tiny"),
        llm_dim=WIDTH,
        vision_dim=6,
        out_dim=OUT_DIM,
        concepts=concepts,
        visual_tokens=(1, 2),
        lora=LoraConfig(rank=2),
        mask_head=SIZES,
    )
    llm = small_llm(words=vocabulary.base_size, layers=1, heads=2)
    language = LanguageModel(config=config, base=llm, vocabulary=vocabulary)
    language.reset_added_tokens()
    if concepts:
        language.codebook.copy_(names)
    return LisaModel(config=config, tower=torch.nn.Identity(), language=language)


@pytest.fixture
def training(vocabulary, names, tmp_path, monkeypatch):
    def make(*, concepts=CONCEPTS, **recipe):
        model = small_model(vocabulary, names, concepts=concepts)
        monkeypatch.setattr(stage_joint, "_start", lambda *_: model)
        monkeypatch.setattr(stage_joint, "name_vectors", lambda _: names)
        made = JointTraining(
            config=model.config,
            recipe=JointRecipe(steps=2, **recipe),
            features=tmp_path,
            questions=QuestionStore.__new__(QuestionStore),
            text=tmp_path,
            vision=tmp_path,
            out=tmp_path / "out",
            compiled=False,
        )
        packed = pack_question(model.language, "Find the mug.", "It is [SEG], the mug.", True)
        asked = [[Asked(packed, (Target(MUG, (1,)),))]]
        monkeypatch.setattr(made, "_draw", lambda: ([view("mug")], [view("mug")], asked))
        return made

    return make


def head(training):
    state = training.model.mask_head.state_dict()
    return {name: tensor.clone() for name, tensor in state.items()}


def changed(training, before):
    return [name for name, tensor in head(training).items() if not tensor.equal(before[name])]


def test_a_step_trains_the_mask_head(training):
    one = training()
    before = head(one)
    terms = one._step()
    assert {"name", "answer", "dice", "focal", "similarity"} <= terms.keys()
    assert changed(one, before)


def test_a_frozen_mask_head_stays_and_is_saved_all_the_same(training):
    one = training(head_rate=0.0)
    before, gamma = head(one), one.model.language.text_hidden_fcs[0].weight.clone()
    terms = one._step()
    assert terms.keys() - {"generic", "anchor"} == {"name", "answer", "shown"}
    assert changed(one, before) == []
    assert not one.model.language.text_hidden_fcs[0].weight.equal(gamma)
    one.save()
    saved = load_file(str(one.out / WEIGHTS_FILE))
    assert {f"mask_head.{name}" for name, _ in one.model.mask_head.named_parameters()} <= set(saved)
    again = training(head_rate=0.0)
    assert again.state_file.exists()
    assert changed(again, before) == []


def test_a_model_without_a_codebook_is_prompted_by_gamma_alone(training):
    one = training(concepts=0)
    before = head(one)
    terms = one._step()
    assert all(math.isfinite(value) for value in terms.values())
    assert "dice" in terms
    assert changed(one, before)
    one.save()
    assert "language.codebook" not in load_file(str(one.out / WEIGHTS_FILE))
