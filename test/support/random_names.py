"""Name vectors without the sentence encoder."""

import torch

from training.household.taxonomy import load_categories


def random_names(width: int) -> torch.Tensor:
    """A random unit vector for each category: (categories, width)."""
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(len(load_categories()), width, generator=generator)
    return torch.nn.functional.normalize(vectors, dim=1)
