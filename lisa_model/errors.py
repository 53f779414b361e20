"""Errors that a user of the model can meet; each message names the cause and the remedy."""


class LisaError(Exception):
    """Base of every error raised on purpose by this package."""


class WeightsMissingError(LisaError):
    """Weights that are needed are not there; nothing is ever answered with random weights."""


class WeightsCorruptError(LisaError):
    """Weights are there but fail their checksum, lack a tensor or have the wrong shape."""


class InvalidImageError(LisaError, ValueError):
    """The image is not a uint8 RGB array of shape (H, W, 3) of a usable size."""


class InvalidIntentError(LisaError, ValueError):
    """The intent is empty, too long, or not text."""
