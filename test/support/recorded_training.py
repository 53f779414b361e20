"""A recorded training batch of the official code with a learner on it."""

from __future__ import annotations

from itertools import pairwise

import torch
from safetensors.torch import load_file

from lisa_model.checkpoint.reader import open_checkpoint
from lisa_model.llava.clip_tower import ClipTower
from lisa_model.llava.config import CheckpointConfig
from lisa_model.llava.model import LisaForCausalLM
from lisa_model.llava.preprocessing import sam_pixels
from lisa_model.llava.tokenizer import LegacyTokenizer
from training.data.collate import Batch
from training.official.forward import Picture
from training.official.labels import text_batch
from training.official.lora import LoraSettings
from training.official.losses import LossWeights
from training.run.module import TrainingModule
from training.run.policy import make_trainable
from training.run.processes import Processes
from training.run.settings import OptimizerSettings
from training.run.steps import Learner
from training.run.update import TorchUpdate, make_optimizer


def recorded_batch(vectors, tokenizer, tower, sam_size):
    """The recorded training batch, with nothing of it tokenised or resized by others."""
    arrays = vectors.arrays("train_batch")
    spans = list(pairwise(arrays["offset"].tolist()))
    images = [arrays[f"images_{k}"] for k in range(len(spans))]
    pictures = []
    for number, image in enumerate(images):
        pixels, resized = sam_pixels(image, sam_size)
        masks = torch.from_numpy(arrays[f"masks_{number}"])
        pictures.append(Picture(sam=pixels, resized=resized, masks=masks))
    texts = vectors.meta["train"]["conversations"]
    return make_batch(texts, tokenizer, tower, images, pictures, spans)


def make_batch(texts, tokenizer, tower, images, pictures, spans):
    return Batch(
        text=text_batch(texts, tokenizer, template="llava_v1", patches=tower.patches),
        clip_pixels=torch.stack([tower.pixels(image) for image in images]),
        pictures=tuple(pictures),
        picture_of=tuple(k for k, (first, last) in enumerate(spans) for _ in range(first, last)),
        ignore=(None,) * len(images),
        provenance=(),
    )


class RecordedRun:
    """A vector set with a learner on it."""

    def __init__(self, vectors, *, dropout=0.0, autocast=None) -> None:
        vectors.needs_decoder()
        self.vectors = vectors
        checkpoint = open_checkpoint(vectors.folder)
        config = CheckpointConfig.read(vectors.hf, checkpoint)
        self.model = LisaForCausalLM.from_checkpoint(checkpoint, config)
        self.tokenizer = LegacyTokenizer.from_folder(vectors.hf)
        self.tower = ClipTower.from_folder(vectors.clip)
        self.trained = make_trainable(self.model, LoraSettings(dropout=dropout))
        self.batch = recorded_batch(vectors, self.tokenizer, self.tower, config.sam.image_size)
        start = load_file(vectors.folder / "lora_init.safetensors")
        with torch.no_grad():
            for key, tensor in start.items():
                self.trained[key.removeprefix("base_model.model.")].copy_(tensor)
        self.learner = Learner(
            module=TrainingModule(lisa=self.model, seg_id=self.tokenizer.seg_id, autocast=autocast),
            tower=self.tower,
            update=TorchUpdate(
                parameters=self.trained,
                optimizer=make_optimizer(self.trained, OptimizerSettings()),
                clip_norm=1.0,
            ),
            processes=Processes(device="cpu", parallel="ddp"),
            weights=LossWeights(),
            seed=0,
        )

    def without_lora(self):
        """B = 0: the model as the plain losses and gradients were recorded."""
        with torch.no_grad():
            for name, parameter in self.trained.items():
                if ".lora_B." in name:
                    parameter.zero_()

    def passes(self):
        """The batch's images one by one."""
        text, batch = self.vectors.meta["train"]["conversations"], self.batch
        out = []
        for number, picture in enumerate(batch.pictures):
            image = self.vectors.arrays("train_batch")[f"images_{number}"]
            mine = [t for t, k in zip(text, batch.picture_of, strict=True) if k == number]
            spans = [(0, len(mine))]
            out.append(make_batch(mine, self.tokenizer, self.tower, [image], [picture], spans))
        return out
