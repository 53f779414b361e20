"""QLoRA: the LLM's frozen layers in 4 or 8 bits, LoRA and all else that is trained in float32.

NF4 with double quantization as in QLoRA (Dettmers et al., 2023, arXiv:2305.14314), or int8 with one
scale per row. Products are computed in the run's ``precision``. What is learnt is merged into the
checkpoint's own weights later, not into the quantized ones: QLoRA's adapters are small against the
rounding that they were trained beside, and released weights stay as exact as they were.
"""

from __future__ import annotations

import torch

from lisa_model.llava.model import LisaForCausalLM
from lisa_model.llava.quantization import quantize_llm
from training.data.errors import ConfigError


def quantize_frozen(lisa: LisaForCausalLM, kind: str, device: torch.device) -> None:
    """Quantize the LLM's layers in place, on the device where the model is then; before LoRA.

    Args:
        lisa: loaded, on the CPU.
        kind: nf4 or int8.
        device: of this process.

    Raises:
        ConfigError: the library is not installed, or the model's widths do not fit.
    """
    try:
        quantize_llm(lisa, kind, device=device, embeddings=None)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    # What peft looks for before it wraps layers of bitsandbytes.
    lisa.is_loaded_in_4bit = kind == "nf4"  # type: ignore[assignment]
