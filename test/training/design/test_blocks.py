import argparse
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from lisa_model.mask_head import PatchAlign
from training.design.blocks import chosen_columns, named_right, parse_blocks, table
from training.experiments.tables import fill
from training.tiny.patch_bank import BACKGROUND, PatchBank

PAGE = Path(__file__).parents[3] / "docs" / "tiny_design.md"


def bank():
    vectors = torch.arange(12.0).repeat(3, 1).half()
    return PatchBank(vectors, torch.tensor([0, 1, BACKGROUND]), torch.tensor([3.0, 1.0, 5.0]))


def test_blocks_are_read_from_text():
    assert parse_blocks("6,9") == (6, 9)
    for text in ("6,", "six", "-1"):
        with pytest.raises(argparse.ArgumentTypeError, match="no list of blocks"):
            parse_blocks(text)


def test_the_columns_of_a_block_are_where_it_was_cached():
    mine = chosen_columns(bank(), (6, 12), (3, 6, 12))
    assert mine.vectors[0].tolist() == [4, 5, 6, 7, 8, 9, 10, 11]
    assert torch.equal(mine.weight, bank().weight)


def test_the_share_is_weighted_and_leaves_background_out():
    torch.manual_seed(0)
    align = PatchAlign(12, 8, 4, dropout=0.0)
    with torch.no_grad():
        seen = F.normalize(align(bank().vectors[:1].float().T[None, :, None])[0, :, 0, 0], dim=0)
    names = torch.stack([seen, -seen])  # every patch is named 0
    assert named_right(align, bank(), names) == pytest.approx(0.75)


def test_the_page_has_a_place_for_the_table():
    text = table({(6, 9): [0.4, 0.5]}, "Told.")
    assert "| 6 + 9 | 45.0 (40.0 to 50.0) |" in text
    assert text in fill(PAGE.read_text(), "probe", {"blocks": text})
