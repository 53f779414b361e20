"""Too little memory: told from other errors, with what can be set smaller."""

from __future__ import annotations

from lisa_ros.errors import OUT_OF_MEMORY, RequestError
from lisa_ros.parameters import Settings

# PyTorch raises a plain RuntimeError for the CPU's memory and for that of some accelerators.
_WORDS = ("out of memory", "can't allocate memory", "not enough memory", "failed to allocate")


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an exception of the model means that memory ran out, on the CPU or a GPU."""
    # By name, because PyTorch may not be imported here: torch.OutOfMemoryError, and the
    # torch.cuda.OutOfMemoryError of older releases.
    named = any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__)
    if named or isinstance(error, MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in text for words in _WORDS)


def smaller_settings(settings: Settings) -> str:
    """Return which parameters can be set so that less memory is needed."""
    remedies = []
    if settings.dtype == "float32":
        remedies.append("dtype to bfloat16")
    if settings.model != "lisa-tiny":
        if settings.quantization == "none":
            remedies.append("quantization to int8, int4 or nf4")
        elif settings.quantization == "int8":
            remedies.append("quantization to int4 or nf4")
        remedies.append("model to a smaller one")
    if settings.max_answer_tokens > 32:
        remedies.append("max_answer_tokens lower")
    if settings.device != "cpu":
        remedies.append("device to another one, or to cpu")
    remedies.append("the camera to a lower resolution")
    return "; ".join(remedies)


def out_of_memory(error: BaseException, settings: Settings) -> RequestError:
    """Return the refusal of a request whose inference ran out of memory."""
    first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return RequestError(
        code=OUT_OF_MEMORY,
        message=f"the inference on {settings.device} ran out of memory ({first_line}). What it "
        f"held was given back. Set {smaller_settings(settings)}; or end other programs on the "
        "device",
    )
