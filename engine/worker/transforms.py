"""A person's own preparation of images: code, called only where it is allowed as it is now.

Shape legend: H height, W width, C channels.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image

from engine.contracts.errors import DataError
from engine.contracts.message_text import plain
from engine.contracts.references import Factory, ForeignFactoryError, factory_here
from engine.data import Transforms
from engine.models.user_modules import import_factory, users_modules_first
from engine.runtime.generators import seeded

EVALUATION_SEED = 0


def transforms_of(wanted: Factory | None, allowed: Factory | None) -> Transforms | None:
    """What prepares the images of a job. Raises ForeignFactoryError where nobody has allowed it."""
    if wanted is None:
        return None
    reference = wanted.reference
    if allowed != wanted:
        raise ForeignFactoryError(
            f"refused to have images prepared by {reference[:200]!r} of a store: it is code; allow "
            f"it with --allow-factory {reference[:200]} once you know its file"
        )
    if factory_here(reference) != wanted:
        raise ForeignFactoryError(
            f"the file of {reference[:200]!r}, which prepares the images, has changed since it was "
            "allowed; look at it and open the store again"
        )
    return PersonsTransforms(wanted)


class PersonsTransforms:
    """Calls `function(image, training)`, with an image of Pillow's, for a Pillow image or a uint8
    tensor (C, H, W). It is imported where it is called, in each process that loads images.

    What it draws from the states of torch, NumPy and random follows from the image's own seed.
    """

    def __init__(self, code: Factory) -> None:
        self.code, self.reference = code, code.reference
        self._function: Callable[[Image.Image, bool], object] | None = None
        self._lock = threading.Lock()  # random states are those of the whole process

    def __call__(self, image: Image.Image, seed: int | None) -> np.ndarray:
        with self._lock, users_modules_first(self.reference.partition(":")[0]):
            if self._function is None:
                self._function = self._imported()
            with seeded(EVALUATION_SEED if seed is None else seed):
                found = self._called(image, seed is not None)
        return self._pixels(found)

    def _imported(self) -> Callable[[Image.Image, bool], object]:
        """The function, if it is still the one that was allowed: other processes begin later."""
        if factory_here(self.reference) != self.code:
            raise DataError(
                f"the file of {self.reference} has changed since work began; bring back what it "
                "was, and try again"
            )
        return import_factory(self.reference)

    def _called(self, image: Image.Image, training: bool) -> object:
        assert self._function is not None
        try:
            return self._function(image, training)
        except Exception as error:  # it is their code: anything may happen in it
            words = plain(str(error))
            raise DataError(
                f"{self.reference} fails on it ({type(error).__name__}: {words}); mend it, or take "
                "the image out"
            ) from error

    def _pixels(self, found: object) -> np.ndarray:
        if isinstance(found, Image.Image) and found.mode in ("L", "RGB"):
            found = np.asarray(found)
            return found[..., None] if found.ndim == 2 else found
        if isinstance(found, torch.Tensor) and found.dtype == torch.uint8 and found.dim() == 3:
            return found.permute(1, 2, 0).contiguous().numpy()
        what = f"{found.dtype} of {tuple(found.shape)}" if isinstance(found, torch.Tensor) else ""
        raise DataError(
            f"{self.reference} gives a {type(found).__name__} {what}, and not an image of Pillow's "
            "(L or RGB) or a uint8 tensor (C, H, W): end it before values are scaled and "
            "normalised, which is done for every network alike"
        )

    def __getstate__(self) -> Factory:
        return self.code

    def __setstate__(self, code: Factory) -> None:
        self.__init__(code)  # type: ignore[misc]
