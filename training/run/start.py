"""An untrained LISA from LLaVA and SAM: where the paper's training begins.

    python -m training.run.start LLAVA SAM.pth OUT [--dtype bfloat16] [--backbone DIR]

LLAVA is a folder of LLaVA v1 or 1.5 (LLaMA with ``mm_projector``), SAM.pth a checkpoint of Segment
Anything: ViT-B, ViT-L or ViT-H. Written is a folder in the layout of LISA checkpoints: LLaVA's
weights, with a row for each of the tokens [SEG], <im_start> and <im_end> that it lacks; SAM's; and
gamma (text_hidden_fcs) at random.

With ``--backbone`` a Mask2Former or DINOv2 takes the place of SAM's image encoder; its adapter
begins at random, see :mod:`lisa_model.llava.backbones`. SAM's decoder stays.

To fine-tune a LISA checkpoint, name it in the configuration as it is: this is not for it.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from sentencepiece import SentencePieceProcessor
from torch import Tensor

from lisa_model.checkpoint.layout import SAFETENSORS
from lisa_model.checkpoint.reader import Checkpoint, TensorInfo, open_checkpoint
from lisa_model.checkpoint.torch_file import TorchFile
from lisa_model.checkpoint.writer import write_safetensors
from lisa_model.config import IM_END_TOKEN, IM_START_TOKEN, SEG_TOKEN
from lisa_model.errors import LisaError, WeightsCorruptError, WeightsMissingError
from lisa_model.llava.backbones import (
    CONFIG_KEY,
    SAM_KIND,
    BackboneConfig,
    build_backbone,
    read_backbone,
)
from lisa_model.llava.config import CONFIG_FILE, GAMMA_PREFIX, SAM_PREFIX, read_config
from lisa_model.llava.sam import SamConfig
from training.run.merge import new_folder, of_model

# In the order in which the official training adds them.
ADDED = (SEG_TOKEN, IM_START_TOKEN, IM_END_TOKEN)
_ROWS = ("model.embed_tokens.weight", "lm_head.weight")
_ROW_STD = 0.02  # LLaMA's initializer_range
_WIDTH = "mask_decoder.iou_token.weight"  # (1, width of SAM's prompts)
_FREQUENCIES = "positional_encoding_gaussian_matrix"


def start(
    llava: Path,
    sam: Path,
    out: Path,
    *,
    dtype: torch.dtype = torch.bfloat16,
    seed: int = 0,
    backbone: Path | None = None,
    image_size: int = 0,
) -> None:
    """Write an untrained LISA.

    Args:
        llava: folder of LLaVA v1 or 1.5.
        sam: file of Segment Anything, such as sam_vit_h_4b8939.pth.
        out: new folder.
        dtype: of the weights, but SAM's position frequencies, which stay float32.
        seed: of gamma, the new rows and the adapter.
        backbone: folder of another image encoder; None for SAM's.
        image_size: side of that one's input [px]; 0 for 64 places a side.

    Raises:
        LisaError: of the sources, naming file and key, or ``out`` exists.
    """
    source = open_checkpoint(llava)
    if GAMMA_PREFIX + "0.weight" in source.info:
        raise LisaError(f"{llava} is a LISA checkpoint already; name it as model.checkpoint")
    for name in (_projector(source), *_ROWS):
        if name not in source.info:
            raise WeightsMissingError(f"{llava} lacks {name!r}; it must be a LLaVA checkpoint")
    tokens = added_tokens(llava)
    count = 1 + max(tokens.values())
    parts = {"mask_decoder.", "prompt_encoder.", "image_encoder."}
    file = TorchFile(sam)
    masks = {key: info for key, info in file.info.items() if key.startswith(tuple(parts))}
    if {key.split(".")[0] + "." for key in masks} != parts:
        raise WeightsCorruptError(f"{sam} is no checkpoint of Segment Anything")
    generator = torch.Generator().manual_seed(seed)
    if _WIDTH not in masks:
        raise WeightsCorruptError(f"{sam} lacks {_WIDTH!r}")
    width = masks[_WIDTH].shape[1]
    fresh = _gamma(source.info[_ROWS[0]].shape[1], width, generator)
    if backbone is None:
        shapes = {SAM_PREFIX + key: info.shape for key, info in masks.items()}
        config = SamConfig.from_shapes(shapes, SAM_PREFIX, where=str(sam))
        recorded: dict[str, Any] = {"kind": SAM_KIND, "name": config.name}
    else:
        encoder, weights = read_backbone(backbone, image_size=image_size)
        recorded = encoder.plain()
        masks = {key: info for key, info in masks.items() if not key.startswith("image_encoder.")}
        fresh |= _adapter(encoder, width, seed)
        fresh |= {f"{SAM_PREFIX}image_encoder.{key}": one for key, one in weights.items()}

    def tensors() -> Iterator[tuple[str, Tensor]]:
        read = file.read(list(masks))
        frequencies = [key for key in masks if key.endswith(_FREQUENCIES)]
        for key in frequencies:  # wider numbers come first in a file
            yield SAM_PREFIX + key, read[key].float()
        for key, tensor in source.tensors([key for key in source.info if of_model(key)]):
            if key in _ROWS:
                tensor = with_rows(tensor, count, generator)
            yield key, tensor.to(dtype)
        for key, tensor in fresh.items():
            yield key, tensor.to(dtype)
        for key in masks:
            if key not in frequencies:
                yield SAM_PREFIX + key, read[key].to(dtype)

    def fill(part: Path) -> None:
        path = part / SAFETENSORS.single
        write_safetensors(path, _layout(path, source, masks, fresh, count, dtype), tensors())
        _write_small(part, llava, tokens, count, width, dtype, recorded)

    new_folder(out, fill)


def added_tokens(llava: Path) -> dict[str, int]:
    """LLaVA's added tokens with those of LISA that it lacks, numbered on.

    Raises:
        WeightsMissingError: there is no tokenizer.
    """
    path = llava / "tokenizer.model"
    if not path.is_file():
        raise WeightsMissingError(f"{path} is missing")
    count = int(SentencePieceProcessor(model_file=str(path)).get_piece_size())
    extra = llava / "added_tokens.json"
    tokens: dict[str, int] = json.loads(extra.read_text("utf-8")) if extra.is_file() else {}
    for token in ADDED:
        if token not in tokens:
            tokens[token] = max([count - 1, *tokens.values()]) + 1
    return tokens


def with_rows(table: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """A table (rows, width) with ``count`` rows; new ones are normally distributed."""
    new = torch.empty(max(0, count - len(table)), table.shape[1])
    new.normal_(0.0, _ROW_STD, generator=generator)
    return torch.cat([table[:count], new.to(table.dtype)])


def _gamma(hidden: int, width: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Two linear layers as torch starts them: uniform within 1 / sqrt(inputs)."""
    limit = 1.0 / math.sqrt(hidden)
    shapes = {
        "0.weight": (hidden, hidden),
        "0.bias": (hidden,),
        "2.weight": (width, hidden),
        "2.bias": (width,),
    }
    return {
        GAMMA_PREFIX + name: torch.empty(shape).uniform_(-limit, limit, generator=generator)
        for name, shape in shapes.items()
    }


def _adapter(encoder: BackboneConfig, width: int, seed: int) -> dict[str, Tensor]:
    """An adapter as torch starts it, by the checkpoint's names."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        adapter = build_backbone(encoder, width).adapter
    start = f"{SAM_PREFIX}image_encoder.adapter."
    return {start + key: one for key, one in adapter.state_dict().items()}


def _projector(source: Checkpoint) -> str:
    """The tensor that shows LLaVA's projector to be there: one layer in v1, two in 1.5."""
    two = "model.mm_projector.0.weight"
    return two if two in source.info else "model.mm_projector.weight"


def _layout(
    path: Path,
    source: Checkpoint,
    masks: dict[str, TensorInfo],
    fresh: dict[str, Tensor],
    count: int,
    dtype: torch.dtype,
) -> dict[str, TensorInfo]:
    """Shapes and types in the order of the file."""
    layout = {
        SAM_PREFIX + key: TensorInfo(path, info.shape, torch.float32)
        for key, info in masks.items()
        if key.endswith(_FREQUENCIES)
    }
    for key, info in source.info.items():
        if of_model(key):
            shape = (count, info.shape[1]) if key in _ROWS else info.shape
            layout[key] = TensorInfo(path, shape, dtype)
    layout |= {key: TensorInfo(path, tuple(one.shape), dtype) for key, one in fresh.items()}
    layout |= {
        SAM_PREFIX + key: TensorInfo(path, info.shape, dtype)
        for key, info in masks.items()
        if not key.endswith(_FREQUENCIES)
    }
    return layout


def _write_small(
    part: Path,
    llava: Path,
    tokens: dict[str, int],
    count: int,
    width: int,
    dtype: torch.dtype,
    recorded: dict[str, Any],
) -> None:
    values: dict[str, Any] = read_config(llava) | {
        "architectures": ["LISAForCausalLM"],
        "vocab_size": count,
        "out_dim": width,
        CONFIG_KEY: recorded,
        "train_mask_decoder": True,
        "mm_use_im_start_end": True,
        "mm_vision_select_feature": "patch",
        "torch_dtype": str(dtype).removeprefix("torch."),
        "use_cache": False,
    }
    values.setdefault("vision_tower", values.get("mm_vision_tower"))
    (part / CONFIG_FILE).write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    text = json.dumps(tokens, indent=2) + "\n"
    (part / "added_tokens.json").write_text(text, encoding="utf-8")
    for name in (
        "tokenizer.model",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "generation_config.json",
    ):
        if (llava / name).is_file():
            shutil.copyfile(llava / name, part / name)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("llava", type=Path, help="folder of LLaVA v1 or 1.5")
    parser.add_argument("sam", type=Path, help="such as sam_vit_h_4b8939.pth")
    parser.add_argument("out", type=Path, help="new folder")
    parser.add_argument("--dtype", choices=("bfloat16", "float32"), default="bfloat16")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--backbone", type=Path, metavar="DIR", help="Mask2Former or DINOv2 of transformers"
    )
    parser.add_argument("--image-size", type=int, default=0, help="of the backbone's input [px]")
    args = parser.parse_args(argv)
    start(
        args.llava,
        args.sam,
        args.out,
        dtype=getattr(torch, args.dtype),
        seed=args.seed,
        backbone=args.backbone,
        image_size=args.image_size,
    )


if __name__ == "__main__":
    main()
