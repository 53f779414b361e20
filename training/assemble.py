"""The stages' results as one model folder: the LLM's side, the mask head, the concept codebook.

Run: ``python -m training.assemble --language data/tiny/joint --head data/tiny/vision.pt --out DIR``
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file

from lisa_model.config import preset
from lisa_model.model import WEIGHTS_FILE, LisaModel
from training.name_space import name_vectors


def assemble(*, language: Path, head: Path) -> LisaModel:
    """A model with the language side and projector of a folder and the mask head of a file.

    The codebook holds the vectors of the category names, which the mask head was trained on.
    """
    config = preset("lisa-tiny")
    model = LisaModel.from_base(config=config)
    assert model.language.codebook is not None, "lisa-tiny has a codebook"
    tensors = load_file(str(language / WEIGHTS_FILE))
    for name, tensor in torch.load(head, weights_only=True).items():
        tensors[f"mask_head.{name}"] = tensor
    tensors["language.codebook"] = name_vectors(config.out_dim)
    model.load_trained(tensors, source=str(language))
    return model


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--language", type=Path, required=True, help="model folder")
    parser.add_argument("--head", type=Path, required=True, help="file of training.stage_vision")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    assemble(language=args.language, head=args.head).save_trained(args.out)


if __name__ == "__main__":
    main()
