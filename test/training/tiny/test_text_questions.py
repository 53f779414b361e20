"""Sequences of the text stage: all questions once, even rows, images that say nothing."""

from __future__ import annotations

import random
from dataclasses import replace

import torch

from lisa_model.config import preset
from training.tiny.joint_questions import Target
from training.tiny.packing import PackedQuestion, answer_places, seg_places
from training.tiny.text_questions import ROW_QUESTIONS, TextQuestion, blank_image, even_rows

CONFIG = preset("lisa-tiny")


def question(length: int, category: int = 0) -> TextQuestion:
    packed = PackedQuestion(ids=[5] * length, answer_start=length - 1, segs=())
    return TextQuestion(packed, (Target(category, ()),))


def test_every_question_is_in_one_row_and_rows_are_even() -> None:
    rng = random.Random(0)
    asked = [question(rng.randrange(8, 40), k) for k in range(42)]
    rows = even_rows(asked)
    assert len(rows) == -(-42 // ROW_QUESTIONS)
    assert sorted(one.targets[0].category for row in rows for one in row) == [*range(42)]
    lengths = [sum(len(one.packed.ids) for one in row) for row in rows]
    assert max(lengths) - min(lengths) <= 40


def test_blank_images_differ_in_length_and_likeness() -> None:
    torch.manual_seed(0)
    tokens = blank_image(CONFIG, 200)
    rows, columns = CONFIG.visual_tokens
    assert tokens.shape == (200, rows * columns, CONFIG.llm_dim)
    length = tokens.flatten(1).std(1)
    assert length.min() < 0.01
    assert length.max() > 0.2
    # Share of what the tokens of an image have in common.
    common = tokens.mean(1).var(1) / tokens.flatten(1).var(1)
    assert common.min() < 0.1
    assert common.max() > 0.9
    small = blank_image(replace(CONFIG, visual_tokens=(2, 3)), 1)
    assert small.shape == (1, 6, CONFIG.llm_dim)


def test_places_follow_the_questions() -> None:
    first = PackedQuestion(ids=[1, 2, 3, 9, 4], answer_start=2, segs=(2,))
    talk = PackedQuestion(ids=[6, 7], answer_start=1, segs=())
    pair = PackedQuestion(ids=[1, 9, 8, 9], answer_start=1, segs=(0, 2))
    questions, starts = [[first, talk], [pair]], [[10, 15], [10]]
    rows, positions = seg_places(questions, starts)
    assert rows.tolist() == [0, 1, 1]
    assert positions.tolist() == [12, 10, 12]
    (rows, positions), tokens = answer_places(questions, starts)
    assert tokens.tolist() == [3, 9, 4, 7, 9, 8, 9]
    # Each stands right after the state that predicts it.
    assert rows.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert positions.tolist() == [11, 12, 13, 15, 10, 11, 12]


def test_no_seg_gives_no_place() -> None:
    talk = PackedQuestion(ids=[6, 7], answer_start=1, segs=())
    rows, positions = seg_places([[talk]], [[3]])
    assert rows.shape == positions.shape == (0,)
    assert rows.dtype == torch.long
