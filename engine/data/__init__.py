"""Labelled images: decoded once, kept as uint8, split by a rule that never changes."""

from engine.data.augment import Augmenter, normalise
from engine.data.images import ImageData, Images
from engine.data.load import load

__all__ = ["Augmenter", "ImageData", "Images", "load", "normalise"]
