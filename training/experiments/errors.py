"""Errors of experiments; each message names the cause and the remedy."""

from lisa_model.errors import LisaError


class ExperimentError(LisaError, ValueError):
    """A run cannot be made, or does not fit what has been run already."""
