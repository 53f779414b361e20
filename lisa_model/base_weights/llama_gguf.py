"""GGUF (llama.cpp's file format) -> a transformers folder of a LLaMA-architecture LLM.

The weights are stored as float32. SmolLM2-135M-Instruct comes as Q4_1 (blocks of 32 values
``d q + m`` with 4-bit q and half-precision d, m; the embedding as Q8_0), whose values are exact
in float32 but not in half precision: rounded to float16 the logits of probe prompts move by up
to 0.04 (KL divergence up to 3e-5), rounded to bfloat16 by up to 0.28 (1e-3). Not worth 270 MB.
"""

from __future__ import annotations

from pathlib import Path

from lisa_model.errors import WeightsCorruptError


def convert_llama_gguf(gguf: Path, target: Path) -> None:
    """Dequantise ``gguf`` and save config, float32 safetensors and tokenizer into ``target``.

    Args:
        gguf: path of the .gguf file.
        target: an existing empty folder.

    Raises:
        WeightsCorruptError: tensors are missing, or the vocabulary and the tokenizer differ.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, report = AutoModelForCausalLM.from_pretrained(
        str(gguf.parent),
        gguf_file=gguf.name,
        dtype=torch.float32,
        local_files_only=True,
        output_loading_info=True,
    )
    tokenizer = AutoTokenizer.from_pretrained(
        str(gguf.parent), gguf_file=gguf.name, local_files_only=True
    )
    missing = set(report["missing_keys"])
    if model.config.tie_word_embeddings:
        missing.discard("lm_head.weight")
    if missing:
        raise WeightsCorruptError(f"{gguf.name} lacks the tensors {', '.join(sorted(missing))}")
    rows = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) != rows:
        raise WeightsCorruptError(
            f"{gguf.name}: {len(tokenizer)} tokens, but {rows} rows in the embedding table"
        )
    # The values are plain float32 now; left in place, transformers would refuse to save them as
    # such, or read the folder as quantised.
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.hf_quantizer = None
    model.is_quantized = False
    model.save_pretrained(str(target))
    tokenizer.save_pretrained(str(target))
