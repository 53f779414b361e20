from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lisa_model import tiny_masks
from lisa_model.reference import Context, Located
from lisa_model.tiny_masks import Guess, also_from_afar, best_guess

# Two things of the meant kind, left and right, in a frame of 16 x 16 patches.
LEFT, RIGHT = (4, 3), (4, 12)
SIDE = 160


class Head:
    """A mask head whose words mean the left thing, by so much appeal."""

    key_dim = 3
    naming = None

    def __init__(self, appeal: float):
        self.appeals = torch.full((1, 16, 16), -appeal)
        self.appeals[(0, *LEFT)] = 0.0
        self.kind = torch.full((1, 16, 16), -5.0)
        self.kind[(0, *LEFT)], self.kind[(0, *RIGHT)] = 1.0, 2.0

    def locate(self, features, prompt, reference):
        place = torch.tensor([[LEFT[1] / 8 - 0.9375, LEFT[0] / 8 - 0.9375]])
        anchors = torch.zeros(1, 2, 2)
        return Located(Context(anchors, torch.zeros(1), place), self.appeals, self.kind)

    def looks(self, vision, features, logits):
        return torch.zeros(1, 4)

    def __call__(self, features, prompt, reference, located):
        return torch.full((1, 64, 64), -1.0), torch.tensor([0.1]), self.kind


@pytest.fixture
def search(monkeypatch):
    """Searches; a closer look at the left thing is worth so much, at the right one 0.7."""

    def run(appeal: float, left: float):
        looks = []

        def look_closer(model, image, window, prompt, patches, reference, context):
            looks.append(window)
            x, y = tiny_masks.pixel(context.point[0], SIDE, SIDE)
            assert window.x0 <= x < window.x1
            assert window.y0 <= y < window.y1
            score = left if x < SIDE / 2 else 0.7
            logits = np.full((window.height, window.width), 1.0, dtype=np.float32)
            return [Guess(logits, score, np.zeros(4, np.float32), np.zeros(3, np.float32))]

        monkeypatch.setattr(tiny_masks, "look_closer", look_closer)
        config = SimpleNamespace(zoom_candidates=2)
        model = SimpleNamespace(mask_head=Head(appeal), config=config)
        seen = SimpleNamespace(vision=None, features=None, rgb=torch.zeros(1, 3, 128, 128))
        image = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
        prompt = torch.ones(1, 4)
        guess = best_guess(model, image, seen, prompt, patches=64)
        return looks, guess

    return run


def marked_left(guess: Guess) -> bool:
    return bool((guess.logits[:, : SIDE // 2] > 0).any())


def test_the_first_closer_look_is_where_the_words_point(search):
    looks, guess = search(appeal=0.0, left=0.9)
    assert len(looks) == 1, "it was worth enough"
    assert marked_left(guess)


def test_another_place_wins_where_the_words_leave_it_open(search):
    looks, guess = search(appeal=0.0, left=0.3)
    assert len(looks) == 2
    assert not marked_left(guess)


def test_another_of_its_kind_does_not_win_where_the_words_tell_which(search):
    looks, guess = search(appeal=5.0, left=0.3)
    assert len(looks) == 2
    assert marked_left(guess)
    assert guess.score == 0.3


def test_a_closer_look_is_named_from_afar_too():
    near, afar = torch.eye(4)[0], torch.eye(4)[2]
    head = SimpleNamespace(naming=object(), looks=lambda *_: afar[None])
    model = SimpleNamespace(mask_head=head)
    seen = SimpleNamespace(vision=torch.zeros(1), features=None, rgb=torch.zeros(1, 3, 8, 8))
    guess = Guess(np.ones((8, 8), np.float32), 0.5, near.numpy(), np.ones(3, np.float32))
    both = also_from_afar(model, seen, guess)
    assert both.appearance.tolist() == [0.5, 0.0, 0.5, 0.0]
    assert both.colour is guess.colour
    empty = replace(guess, appearance=np.zeros(4, np.float32))
    assert also_from_afar(model, seen, empty) is empty, "an empty mask stays without a name"
    head.naming = None
    assert also_from_afar(model, seen, guess) is guess
