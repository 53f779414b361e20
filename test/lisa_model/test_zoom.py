import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lisa_model.look import OUTSIDE
from lisa_model.tiny_masks import heaviest_place, next_place, pixel, unit, window_at
from lisa_model.zoom import CropWindow, zoom_window

side = st.integers(120, 900)


@given(side, side, st.floats(-50, 950), st.floats(-50, 950), st.floats(0, 900), st.floats(0, 900))
def test_window_lies_inside_the_frame_and_keeps_its_aspect(height, width, x, y, w, h):
    window = zoom_window((x, y, x + w, y + h), height=height, width=width)
    assert 0 <= window.x0 < window.x1 <= width
    assert 0 <= window.y0 < window.y1 <= height
    assert abs(window.width / width - window.height / height) < 0.3


def test_window_holds_a_box_that_lies_inside():
    window = zoom_window((300, 200, 340, 230), height=480, width=640)
    assert window.x0 <= 300
    assert window.x1 >= 340
    assert window.y0 <= 200
    assert window.y1 >= 230
    assert window.width < 640 / 2


def test_cut_is_the_pixels_of_the_window():
    plane = np.arange(12).reshape(3, 4)
    assert CropWindow(1, 1, 3, 3).cut(plane).tolist() == [[5, 6], [9, 10]]


def test_empty_window_is_refused():
    with pytest.raises(ValueError, match="empty"):
        CropWindow(5, 5, 5, 9)


def test_second_look_goes_to_the_heaviest_guess():
    logits = np.full((120, 160), -5.0, dtype=np.float32)
    logits[10:14, 10:14] = 1.0
    logits[80:95, 100:120] = 4.0
    logits[84, 110] = 5.0
    place = heaviest_place(logits)
    assert place == (110, 84)
    window = window_at(logits, place)
    assert window is not None
    assert window.x0 <= 100
    assert window.x1 >= 120
    assert window.y0 <= 80
    assert window.y1 >= 95


def test_where_the_first_guess_is_empty_a_second_look_is_close():
    logits = np.full((120, 160), -5.0, dtype=np.float32)
    assert heaviest_place(logits) is None
    window = window_at(logits, (40, 60))
    assert window is not None
    assert window.x0 < 40 < window.x1
    assert window.y0 < 60 < window.y1


def test_no_second_look_at_what_fills_the_frame():
    full = np.full((120, 160), 5.0, np.float32)
    assert window_at(full, (3, 3)) is None
    assert OUTSIDE < 0, "pixels outside a window must stay background"


def test_later_looks_go_to_the_best_place_not_seen_yet():
    similarity = np.full((120, 160), -6.0, dtype=np.float32)
    similarity[20, 20], similarity[100, 140] = 3.0, 2.0
    assert next_place(similarity, []) == (20, 20)
    assert next_place(similarity, [CropWindow(0, 0, 40, 30)]) == (140, 100)
    assert next_place(similarity, [CropWindow(0, 0, 160, 120)]) is None


@given(st.integers(0, 159), st.integers(0, 119))
def test_places_and_units_are_the_same(x, y):
    assert pixel(torch.tensor(unit((x, y), 120, 160)), 120, 160) == (x, y)


def test_places_beyond_the_edge_are_at_the_edge():
    assert pixel(torch.tensor([1.0, -1.5]), 120, 160) == (159, 0)
