import torch

from lisa_model.reference_keys import colour, place


def test_places_are_those_of_the_frame_also_in_a_crop():
    like = torch.zeros(1)
    whole = place(None, 1, (4, 8), like)
    assert whole.shape == (1, 10, 4, 8)
    right_half = place(torch.tensor([[0.5, 0.0, 1.0, 1.0]]), 1, (4, 4), like)
    torch.testing.assert_close(right_half[0], whole[0, :, :, 4:])
    torch.testing.assert_close(whole[0, 0, 0, 0], torch.tensor(-0.875))
    torch.testing.assert_close(whole[0, 1, :, 0], torch.tensor([-0.75, -0.25, 0.25, 0.75]))


def test_colours_are_mean_and_deviation_of_a_cell():
    rgb = torch.zeros(1, 3, 4, 4)
    rgb[0, 0, :2, :2] = 1.0
    rgb[0, 1, 2:, ::2] = 1.0
    found = colour(rgb, (2, 2))[0]
    assert found[:3, 0, 0].tolist() == [1.0, 0.0, 0.0]
    torch.testing.assert_close(found[[1, 4], 1, 1], torch.tensor([0.5, 0.5]))
