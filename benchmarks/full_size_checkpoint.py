"""Write a checkpoint of LISA's full size with random weights, in the layout of the official ones.

    python3 -m benchmarks.full_size_checkpoint --out DIR [--size 7b|13b|tiny] [--dtype bfloat16]

writes ``DIR/LISA-random`` (pytorch_model-*.bin and index, config, tokenizer) and
``DIR/clip-vit-large-patch14`` (the CLIP tower), to measure loading, conversion and speed without
the real weights. One shard is in memory at a time. All sizes can be set one by one.

The numbers are random, the answer is not: every prompt is answered with "[SEG]" and the end, so
that the way of a mask is gone through. Channel 0 of the residual stream has one large value after
every token but [SEG], where it is negative; the head reads [SEG] or the end from it.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.checkpoint_shapes import SIZES, Shape, Sizes, clip_shapes, lisa_shapes
from benchmarks.checkpoint_tokenizer import ADDED_TOKENS, tokenizer_model

MODEL_FOLDER = "LISA-random"
TOWER_FOLDER = "clip-vit-large-patch14"
EOS = 2
# How strongly channel 0 is read, against other words' logits of about 1.
_PLANTED_LOGIT = 2.0
_CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
_CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


def write_checkpoint(
    out: Path,
    sizes: Sizes,
    *,
    dtype: torch.dtype = torch.bfloat16,
    shard_bytes: int = 5_000_000_000,
    tokenizer: Path | None = None,
    seed: int = 0,
) -> tuple[Path, Path]:
    """Write the model and its vision tower.

    Args:
        out: folder for both; made if needed, files in it are replaced.
        sizes: of the networks.
        dtype: of the weights.
        shard_bytes: limit of a file; what is in memory at a time.
        tokenizer: a sentencepiece model with at most ``sizes.vocab`` pieces; None trains a small
            one on a few sentences. Filled up with unused pieces to ``sizes.vocab``.
        seed: of the weights.

    Returns:
        The two folders.
    """
    model, tower = out / MODEL_FOLDER, out / TOWER_FOLDER
    for folder in (model, tower):
        folder.mkdir(parents=True, exist_ok=True)
        for stale in folder.glob("pytorch_model*"):  # perhaps of another number of files
            stale.unlink()
    pieces = tokenizer_model(sizes.vocab, tokenizer)
    (model / "tokenizer.model").write_bytes(pieces)
    for name, values in _model_files(sizes, dtype).items():
        _write_json(model / name, values)
    for name, values in _tower_files(sizes, dtype).items():
        _write_json(tower / name, values)
    _write_shards(model, lisa_shapes(sizes), sizes, dtype, shard_bytes, seed)
    _write_shards(tower, clip_shapes(sizes), sizes, dtype, shard_bytes, seed + 1)
    return model, tower


def random_tensor(
    key: str, shape: Shape, sizes: Sizes, *, dtype: torch.dtype, generator: torch.Generator
) -> Tensor:
    """Weights that keep activations near 1 through all layers; see the module for what is planted.

    Args:
        key: official name; tells what kind of weight it is.
        shape: of the tensor.
        sizes: of the network.
        dtype: of the tensor.
        generator: source of the numbers.
    """
    if key.endswith("rotary_emb.inv_freq"):
        side = torch.arange(0, 2 * shape[0], 2, dtype=torch.float32)
        return (10000.0 ** -(side / (2 * shape[0]))).to(dtype)
    if len(shape) == 1 and key.endswith("weight"):
        return torch.ones(shape, dtype=dtype)  # of a normalisation
    if key.endswith("bias"):
        return torch.zeros(shape, dtype=dtype)
    fan_in = math.prod(shape[1:]) if len(shape) > 1 else shape[0]
    std = 1.0 / math.sqrt(fan_in)
    if key.endswith(("o_proj.weight", "down_proj.weight")):
        std /= math.sqrt(2 * sizes.llm_layers)  # they add up in the residual stream
    if key.endswith(("embed_tokens.weight", "positional_encoding_gaussian_matrix")):
        std = 1.0
    tensor = torch.empty(shape, dtype=dtype).normal_(0.0, std, generator=generator)
    seg = sizes.vocab
    if key == "model.embed_tokens.weight":
        tensor[:, 0] = math.sqrt(sizes.llm_hidden)
        tensor[seg, 0] = -math.sqrt(sizes.llm_hidden)
    if key == "lm_head.weight":
        tensor[seg, 0] = _PLANTED_LOGIT
        tensor[EOS, 0] = -_PLANTED_LOGIT
    return tensor


def _write_shards(
    folder: Path,
    shapes: Mapping[str, Shape],
    sizes: Sizes,
    dtype: torch.dtype,
    shard_bytes: int,
    seed: int,
) -> None:
    groups = list(_groups(shapes, dtype.itemsize, shard_bytes))
    generator = torch.Generator().manual_seed(seed)
    weight_map: dict[str, str] = {}
    for number, keys in enumerate(groups, start=1):
        name = f"pytorch_model-{number:05d}-of-{len(groups):05d}.bin"
        if len(groups) == 1:
            name = "pytorch_model.bin"
        part = folder / f"{name}.part"
        tensors = {
            key: random_tensor(key, shapes[key], sizes, dtype=dtype, generator=generator)
            for key in keys
        }
        torch.save(tensors, part)
        del tensors
        part.replace(folder / name)
        weight_map |= dict.fromkeys(keys, name)
        print(
            f"{folder / name}: {len(keys)} tensors, {(folder / name).stat().st_size / 1e9:.2f} GB"
        )
    if len(groups) > 1:
        total = sum(math.prod(shape) for shape in shapes.values()) * dtype.itemsize
        index = {"metadata": {"total_size": total}, "weight_map": weight_map}
        _write_json(folder / "pytorch_model.bin.index.json", index)


def _groups(shapes: Mapping[str, Shape], itemsize: int, limit: int) -> Iterator[list[str]]:
    group: list[str] = []
    size = 0
    for key, shape in shapes.items():
        bytes_ = math.prod(shape) * itemsize
        if group and size + bytes_ > limit:
            yield group
            group, size = [], 0
        group.append(key)
        size += bytes_
    yield group


def _model_files(sizes: Sizes, dtype: torch.dtype) -> dict[str, dict[str, Any]]:
    """JSON files of the model's folder, with the keys that released checkpoints have."""
    config = {
        "architectures": ["LISAForCausalLM"],
        "model_type": "llava",
        "hidden_act": "silu",
        "hidden_size": sizes.llm_hidden,
        "intermediate_size": sizes.llm_mlp,
        "num_hidden_layers": sizes.llm_layers,
        "num_attention_heads": sizes.llm_heads,
        "num_key_value_heads": sizes.llm_heads,
        "rms_norm_eps": 1e-6,
        "max_position_embeddings": 2048,
        "vocab_size": sizes.vocab + len(ADDED_TOKENS),
        "mm_hidden_size": sizes.clip_hidden,
        "mm_vision_tower": f"openai/{TOWER_FOLDER}",
        "vision_tower": f"openai/{TOWER_FOLDER}",
        "mm_vision_select_layer": -2,
        "mm_vision_select_feature": "patch",
        "mm_use_im_start_end": True,
        "mm_use_im_patch_token": False,
        "use_mm_proj": True,
        "image_aspect_ratio": "square",
        "out_dim": sizes.out_dim,
        "train_mask_decoder": True,
        "tie_word_embeddings": False,
        "use_cache": False,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": EOS,
        "torch_dtype": str(dtype).removeprefix("torch."),
        "transformers_version": "4.31.0",
    }
    tokens = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    return {
        "config.json": config,
        "generation_config.json": {"bos_token_id": 1, "eos_token_id": EOS, "pad_token_id": 0},
        "added_tokens.json": {
            token: sizes.vocab + place for place, token in enumerate(ADDED_TOKENS)
        },
        "special_tokens_map.json": {**tokens, "pad_token": "<unk>"},
        "tokenizer_config.json": {
            **tokens,
            "tokenizer_class": "LlamaTokenizer",
            "legacy": True,
            "add_bos_token": True,
            "add_eos_token": False,
            "padding_side": "right",
            "model_max_length": 512,
        },
    }


def _tower_files(sizes: Sizes, dtype: torch.dtype) -> dict[str, dict[str, Any]]:
    """JSON files of the tower's folder."""
    return {
        "config.json": {
            "architectures": ["CLIPVisionModel"],
            "model_type": "clip_vision_model",
            "hidden_size": sizes.clip_hidden,
            "intermediate_size": sizes.clip_mlp,
            "num_hidden_layers": sizes.clip_layers,
            "num_attention_heads": sizes.clip_heads,
            "image_size": sizes.clip_image,
            "patch_size": sizes.clip_patch,
            "hidden_act": "quick_gelu",
            "layer_norm_eps": 1e-5,
            "projection_dim": 768,
            "torch_dtype": str(dtype).removeprefix("torch."),
        },
        "preprocessor_config.json": {
            "image_processor_type": "CLIPImageProcessor",
            "size": {"shortest_edge": sizes.clip_image},
            "crop_size": {"height": sizes.clip_image, "width": sizes.clip_image},
            "image_mean": _CLIP_MEAN,
            "image_std": _CLIP_STD,
            "do_resize": True,
            "do_center_crop": True,
            "do_normalize": True,
            "resample": 3,
        },
    }


def _write_json(path: Path, values: object) -> None:
    path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def _global_blocks(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for both")
    parser.add_argument("--size", choices=sorted(SIZES), default="7b")
    parser.add_argument("--dtype", choices=("bfloat16", "float16", "float32"), default="bfloat16")
    parser.add_argument("--shard-gb", type=float, default=5.0, help="limit of a file, in GB")
    parser.add_argument("--tokenizer", type=Path, help="sentencepiece model to use")
    parser.add_argument("--seed", type=int, default=0)
    for field in fields(Sizes):
        kind = _global_blocks if field.name == "sam_global" else int
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=kind, help="overrides --size")
    args = parser.parse_args(argv)
    changes = {
        field.name: value
        for field in fields(Sizes)
        if (value := getattr(args, field.name)) is not None
    }
    write_checkpoint(
        args.out,
        replace(SIZES[args.size], **changes),
        dtype=getattr(torch, args.dtype),
        shard_bytes=int(args.shard_gb * 1e9),
        tokenizer=args.tokenizer,
        seed=args.seed,
    )


if __name__ == "__main__":
    main()
