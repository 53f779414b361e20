"""Batches from samples, against the batch that the official code made of the same content."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from vectors import each_set, vector_sets

from lisa_model.checkpoint.reader import open_checkpoint
from lisa_model.llava.clip_tower import ClipTower
from lisa_model.llava.config import CheckpointConfig
from lisa_model.llava.model import LisaForCausalLM
from lisa_model.llava.tokenizer import IMAGE_TOKEN_INDEX, LegacyTokenizer
from training.data.collate import Collator
from training.data.config import parse_config
from training.data.mixture import open_mixture
from training.data.sample import Provenance, Sample
from training.official.forward import training_losses

TURN = re.compile(r"USER: (.*?) ASSISTANT: (.*?)</s>", re.DOTALL)
TOKENIZER = LegacyTokenizer.from_folder(vector_sets()[0].hf)


def recorded_samples(vectors):
    """The recorded batch as samples: its images, its conversations, its masks."""
    arrays = vectors.arrays("train_batch")
    texts = [
        tuple(
            (question.replace("<im_start><image><im_end>", "<image>"), answer)
            for question, answer in TURN.findall(text)
        )
        for text in vectors.meta["train"]["conversations"]
    ]
    assert all(texts)
    for number, (first, last) in enumerate(pairwise(arrays["offset"].tolist())):
        yield Sample(
            image_file=Path(f"{number}.png"),
            image=arrays[f"images_{number}"],
            conversations=tuple(texts[first:last]),
            masks=arrays[f"masks_{number}"].astype(np.uint8),
            provenance=Provenance(family="toy", set="recorded", key=str(number)),
        )


@each_set()
def test_the_recorded_batch(vectors):
    arrays = vectors.arrays("train_batch")
    tower = ClipTower.from_folder(vectors.clip)
    size = int(arrays["resize"].max())
    collate = Collator(
        tokenizer=LegacyTokenizer.from_folder(vectors.hf),
        clip_pixels=tower.pixels,
        patches=tower.patches,
        sam_size=size,
    )
    batch = collate(list(recorded_samples(vectors)))
    np.testing.assert_array_equal(batch.text.ids, arrays["input_ids"])
    np.testing.assert_array_equal(batch.text.labels, arrays["labels"])
    np.testing.assert_array_equal(batch.text.mask, arrays["attention_masks"])
    offset = arrays["offset"].tolist()
    counts = [last - first for first, last in pairwise(offset)]
    assert list(batch.picture_of) == [k for k, count in enumerate(counts) for _ in range(count)]
    assert [list(one.resized) for one in batch.pictures] == arrays["resize"].tolist()
    assert batch.clip_pixels.shape[0] == len(counts)  # once a picture, not once a conversation
    for number, picture in enumerate(batch.pictures):
        assert picture.masks.dtype == torch.float32
        np.testing.assert_array_equal(picture.masks, arrays[f"masks_{number}"])
        assert picture.sam.shape == (3, size, size)
    if "clip_pixels" in arrays:
        np.testing.assert_allclose(batch.clip_pixels, arrays["clip_pixels"], atol=1e-5)


@each_set()
def test_drawn_samples_can_be_trained_on(vectors, whole_root):
    vectors.needs_decoder()
    checkpoint = open_checkpoint(vectors.folder)
    config = CheckpointConfig.read(vectors.hf, checkpoint)
    model = LisaForCausalLM.from_checkpoint(checkpoint, config)
    tower = ClipTower.from_folder(vectors.clip)
    tokenizer = LegacyTokenizer.from_folder(vectors.hf)
    collate = Collator(
        tokenizer=tokenizer,
        clip_pixels=tower.pixels,
        patches=tower.patches,
        sam_size=config.sam.image_size,
    )
    sets = {
        "semantic": [{"name": "ade20k", "several": 1.0, "false_premise": 0.5}],
        "referring": [{"name": "grefcoco", "several": "each", "no_target": "refuse"}],
        "vqa": ["llava_instruct_150k"],
        "reasoning": [{"name": "reason_seg", "explanatory": 0.5}],
    }
    families = {name: {"rate": 1, "sets": entries} for name, entries in sets.items()}
    mixture = open_mixture(
        parse_config({"root": str(whole_root), "families": families}), refuse=collate.refuse
    )
    samples = [mixture.draw(step).sample for step in range(20)]
    assert {one.provenance.family for one in samples} == set(families)
    batch = collate(samples)
    losses = training_losses(
        model,
        batch.text,
        tower(batch.clip_pixels),
        batch.pictures,
        batch.picture_of,
        seg_id=tokenizer.seg_id,
    )
    assert torch.isfinite(losses.total)
    assert float(losses.answer.detach()) > 0.0
    assert float(losses.mask.detach()) > 0.0


def toy(*answers, question="Where is the mug?", masks=None):
    count = sum(answer.count("[SEG]") for answer in answers) if masks is None else masks
    return Sample(
        image_file=Path("a.png"),
        image=np.full((20, 30, 3), 90, np.uint8),
        conversations=tuple(((f"<image>\n{question}", answer),) for answer in answers),
        masks=np.ones((count, 20, 30), np.uint8),
        ignore=np.zeros((20, 30), np.bool_),
        provenance=Provenance(family="toy", set="toy", key="7"),
    )


def collator(**changes):
    options = {
        "tokenizer": TOKENIZER,
        "clip_pixels": lambda image: torch.zeros(3, 4, 4),
        "patches": 256,
        "sam_size": 64,
    }
    return Collator(**options | changes)


@pytest.mark.parametrize("template", ["llava_v1", "llava_llama_2"])
def test_every_conversation_has_its_image_and_its_segs(template):
    samples = [toy("It is [SEG].", "They are [SEG] and [SEG]."), toy("Nothing is.")]
    batch = collator(template=template)(samples)
    assert batch.picture_of == (0, 0, 1)
    assert (batch.text.ids == IMAGE_TOKEN_INDEX).sum(dim=1).tolist() == [1, 1, 1]
    assert (batch.text.ids == TOKENIZER.seg_id).sum(dim=1).tolist() == [1, 2, 0]
    assert [len(one.masks) for one in batch.pictures] == [3, 0]
    assert all(one is not None and one.dtype == torch.bool for one in batch.ignore)
    assert [one.key for one in batch.provenance] == ["7", "7"]


def test_a_seg_that_would_be_cut_off_is_refused_before_it_does_harm():
    fits = toy("It is [SEG].")
    endless = toy("It is [SEG].", question="Where is the mug? " * 60)
    words = toy("Nothing is.", question="Where is the mug? " * 60)
    assert collator().refuse(fits) is None
    assert collator().refuse(words) is None  # loses its end only, as in the official training
    reason = collator().refuse(endless)
    assert reason is not None
    assert "257 fit" in reason
    with pytest.raises(ValueError, match=r"toy: 7: \[SEG\] is token"):
        collator()([fits, endless])
    assert collator(max_length=4096).refuse(endless) is None


def test_the_limit_is_exact():
    sample = toy("It is [SEG].")
    ids = collator()([sample]).text.ids[0].tolist()
    needed = ids.index(TOKENIZER.seg_id) + 1
    enough = collator(max_length=needed + 255)
    assert enough.refuse(sample) is None
    assert (enough([sample]).text.ids == TOKENIZER.seg_id).sum() == 1
    assert collator(max_length=needed + 254).refuse(sample) is not None


def test_a_batch_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        collator()([])
