"""Names and shapes of the tensors of a LISA checkpoint and of its CLIP tower, from their sizes."""

from __future__ import annotations

from dataclasses import dataclass

Shape = tuple[int, ...]
Shapes = dict[str, Shape]

# Of segment_anything; no checkpoint varies them.
_SAM_PATCH = 16
_SAM_WINDOW = 14
_MASK_TOKENS = 4
_MASK_CHANNELS = 16


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Sizes of the three networks.

    Args:
        vocab: pieces of the tokenizer, without the three tokens that LISA adds.
        out_dim: width of SAM's prompts and image features.
        sam_mlp: inner width of the mask decoder's MLPs.
        sam_global: image-encoder blocks without windows.
    """

    vocab: int
    llm_hidden: int
    llm_mlp: int
    llm_layers: int
    llm_heads: int
    out_dim: int
    sam_image: int
    sam_dim: int
    sam_layers: int
    sam_heads: int
    sam_global: tuple[int, ...]
    sam_mlp: int
    clip_image: int
    clip_patch: int
    clip_hidden: int
    clip_mlp: int
    clip_layers: int
    clip_heads: int


_7B = Sizes(
    vocab=32000,
    llm_hidden=4096,
    llm_mlp=11008,
    llm_layers=32,
    llm_heads=32,
    out_dim=256,
    sam_image=1024,
    sam_dim=1280,
    sam_layers=32,
    sam_heads=16,
    sam_global=(7, 15, 23, 31),
    sam_mlp=2048,
    clip_image=224,
    clip_patch=14,
    clip_hidden=1024,
    clip_mlp=4096,
    clip_layers=24,
    clip_heads=16,
)
SIZES = {
    "7b": _7B,
    "13b": Sizes(
        **{
            **_7B.__dict__,
            "llm_hidden": 5120,
            "llm_mlp": 13824,
            "llm_layers": 40,
            "llm_heads": 40,
        }
    ),
    "tiny": Sizes(
        vocab=500,
        llm_hidden=64,
        llm_mlp=128,
        llm_layers=2,
        llm_heads=4,
        out_dim=32,
        sam_image=128,
        sam_dim=32,
        sam_layers=2,
        sam_heads=2,
        sam_global=(1,),
        sam_mlp=64,
        clip_image=56,
        clip_patch=14,
        clip_hidden=32,
        clip_mlp=64,
        clip_layers=3,
        clip_heads=2,
    ),
}


def lisa_shapes(sizes: Sizes) -> Shapes:
    """All tensors of a checkpoint as the official code saves them with transformers 4.31."""
    hidden, rows = sizes.llm_hidden, sizes.vocab + 3
    shapes: Shapes = {"model.embed_tokens.weight": (rows, hidden)}
    for number in range(sizes.llm_layers):
        layer = f"model.layers.{number}."
        for name in "qkvo":
            shapes[f"{layer}self_attn.{name}_proj.weight"] = (hidden, hidden)
        half = hidden // sizes.llm_heads // 2
        shapes[f"{layer}self_attn.rotary_emb.inv_freq"] = (half,)
        shapes[f"{layer}mlp.gate_proj.weight"] = (sizes.llm_mlp, hidden)
        shapes[f"{layer}mlp.up_proj.weight"] = (sizes.llm_mlp, hidden)
        shapes[f"{layer}mlp.down_proj.weight"] = (hidden, sizes.llm_mlp)
        shapes[f"{layer}input_layernorm.weight"] = (hidden,)
        shapes[f"{layer}post_attention_layernorm.weight"] = (hidden,)
    shapes["model.norm.weight"] = (hidden,)
    shapes |= _linear("model.mm_projector", sizes.clip_hidden, hidden)
    shapes |= _sam_encoder("model.visual_model.image_encoder.", sizes)
    shapes |= _sam_prompts("model.visual_model.prompt_encoder.", sizes.out_dim)
    shapes |= _sam_decoder("model.visual_model.mask_decoder.", sizes)
    shapes |= _linear("model.text_hidden_fcs.0.0", hidden, hidden)
    shapes |= _linear("model.text_hidden_fcs.0.2", hidden, sizes.out_dim)
    shapes["lm_head.weight"] = (rows, hidden)
    return shapes


def clip_shapes(sizes: Sizes) -> Shapes:
    """All tensors of CLIP's vision side as transformers 4.31 saves them."""
    width, patch = sizes.clip_hidden, sizes.clip_patch
    places = (sizes.clip_image // patch) ** 2 + 1
    shapes: Shapes = {
        "vision_model.embeddings.class_embedding": (width,),
        "vision_model.embeddings.patch_embedding.weight": (width, 3, patch, patch),
        "vision_model.embeddings.position_embedding.weight": (places, width),
        **_norm("vision_model.pre_layrnorm", width),
    }
    for number in range(sizes.clip_layers):
        layer = f"vision_model.encoder.layers.{number}."
        for name in ("k_proj", "v_proj", "q_proj", "out_proj"):
            shapes |= _linear(f"{layer}self_attn.{name}", width, width)
        shapes |= _norm(f"{layer}layer_norm1", width)
        shapes |= _linear(f"{layer}mlp.fc1", width, sizes.clip_mlp)
        shapes |= _linear(f"{layer}mlp.fc2", sizes.clip_mlp, width)
        shapes |= _norm(f"{layer}layer_norm2", width)
    return shapes | _norm("vision_model.post_layernorm", width)


def _linear(name: str, width: int, out: int) -> Shapes:
    return {f"{name}.weight": (out, width), f"{name}.bias": (out,)}


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _convolution(name: str, *shape: int, bias: int) -> Shapes:
    return {f"{name}.weight": shape, f"{name}.bias": (bias,)}


def _sam_encoder(prefix: str, sizes: Sizes) -> Shapes:
    width, out = sizes.sam_dim, sizes.out_dim
    grid = sizes.sam_image // _SAM_PATCH
    shapes: Shapes = {f"{prefix}pos_embed": (1, grid, grid, width)}
    shapes |= _convolution(
        f"{prefix}patch_embed.proj", width, 3, _SAM_PATCH, _SAM_PATCH, bias=width
    )
    for number in range(sizes.sam_layers):
        block = f"{prefix}blocks.{number}."
        side = grid if number in sizes.sam_global else _SAM_WINDOW
        table = (2 * side - 1, width // sizes.sam_heads)
        shapes |= _norm(f"{block}norm1", width)
        shapes |= {f"{block}attn.rel_pos_h": table, f"{block}attn.rel_pos_w": table}
        shapes |= _linear(f"{block}attn.qkv", width, 3 * width)
        shapes |= _linear(f"{block}attn.proj", width, width)
        shapes |= _norm(f"{block}norm2", width)
        shapes |= _linear(f"{block}mlp.lin1", width, 4 * width)
        shapes |= _linear(f"{block}mlp.lin2", 4 * width, width)
    shapes[f"{prefix}neck.0.weight"] = (out, width, 1, 1)
    shapes |= _norm(f"{prefix}neck.1", out)
    shapes[f"{prefix}neck.2.weight"] = (out, out, 3, 3)
    return shapes | _norm(f"{prefix}neck.3", out)


def _sam_prompts(prefix: str, width: int) -> Shapes:
    few = _MASK_CHANNELS // 4
    shapes: Shapes = {f"{prefix}pe_layer.positional_encoding_gaussian_matrix": (2, width // 2)}
    for number in range(4):
        shapes[f"{prefix}point_embeddings.{number}.weight"] = (1, width)
    shapes[f"{prefix}not_a_point_embed.weight"] = (1, width)
    shapes |= _convolution(f"{prefix}mask_downscaling.0", few, 1, 2, 2, bias=few)
    shapes |= _norm(f"{prefix}mask_downscaling.1", few)
    shapes |= _convolution(
        f"{prefix}mask_downscaling.3", _MASK_CHANNELS, few, 2, 2, bias=_MASK_CHANNELS
    )
    shapes |= _norm(f"{prefix}mask_downscaling.4", _MASK_CHANNELS)
    shapes |= _convolution(f"{prefix}mask_downscaling.6", width, _MASK_CHANNELS, 1, 1, bias=width)
    shapes[f"{prefix}no_mask_embed.weight"] = (1, width)
    return shapes


def _sam_decoder(prefix: str, sizes: Sizes) -> Shapes:
    width = sizes.out_dim
    shapes: Shapes = {}
    for number in range(2):
        layer = f"{prefix}transformer.layers.{number}."
        shapes |= _attention(f"{layer}self_attn", width, width)
        shapes |= _norm(f"{layer}norm1", width)
        shapes |= _attention(f"{layer}cross_attn_token_to_image", width, width // 2)
        shapes |= _norm(f"{layer}norm2", width)
        shapes |= _linear(f"{layer}mlp.lin1", width, sizes.sam_mlp)
        shapes |= _linear(f"{layer}mlp.lin2", sizes.sam_mlp, width)
        shapes |= _norm(f"{layer}norm3", width)
        shapes |= _norm(f"{layer}norm4", width)
        shapes |= _attention(f"{layer}cross_attn_image_to_token", width, width // 2)
    shapes |= _attention(f"{prefix}transformer.final_attn_token_to_image", width, width // 2)
    shapes |= _norm(f"{prefix}transformer.norm_final_attn", width)
    shapes[f"{prefix}iou_token.weight"] = (1, width)
    shapes[f"{prefix}mask_tokens.weight"] = (_MASK_TOKENS, width)
    large, small = width // 4, width // 8
    shapes |= _convolution(f"{prefix}output_upscaling.0", width, large, 2, 2, bias=large)
    shapes |= _norm(f"{prefix}output_upscaling.1", large)
    shapes |= _convolution(f"{prefix}output_upscaling.3", large, small, 2, 2, bias=small)
    for number in range(_MASK_TOKENS):
        name = f"{prefix}output_hypernetworks_mlps.{number}.layers."
        shapes |= _linear(f"{name}0", width, width) | _linear(f"{name}1", width, width)
        shapes |= _linear(f"{name}2", width, small)
    name = f"{prefix}iou_prediction_head.layers."
    shapes |= _linear(f"{name}0", width, width) | _linear(f"{name}1", width, width)
    return shapes | _linear(f"{name}2", width, _MASK_TOKENS)


def _attention(name: str, width: int, inner: int) -> Shapes:
    shapes: Shapes = {}
    for side in "qkv":
        shapes |= _linear(f"{name}.{side}_proj", width, inner)
    return shapes | _linear(f"{name}.out_proj", inner, width)
