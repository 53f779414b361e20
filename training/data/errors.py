"""What can be wrong with training data, from a whole set down to one item."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2

from lisa_model.errors import LisaError


class DataError(LisaError):
    """A data set or the configuration cannot be used; names the file or key and the remedy."""


class ConfigError(DataError):
    """The configuration is wrong; names the key."""


class BadSampleError(LisaError):
    """One item is broken; the mixture draws another one and remembers this one."""


class NothingToAskError(LisaError):
    """One item is sound but holds nothing to ask for, such as a label map without a class."""


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn whatever broken data raises while an item is read into a BadSampleError.

    Args:
        what: the file or entry, for the message.
    """
    try:
        yield
    except KeyError as error:
        raise BadSampleError(f"{what}: there is no {error.args[0]!r}") from error
    except (OSError, ValueError, TypeError, IndexError, AttributeError, cv2.error) as error:
        text = str(error)
        raise BadSampleError(text if what in text else f"{what}: {text}") from error
