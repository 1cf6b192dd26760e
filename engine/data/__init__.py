"""Labelled images: kept decoded as uint8, or streamed; split by a rule that never changes."""

from engine.data.augment import Augmenter, normalise
from engine.data.images import ImageData, Images
from engine.data.load import ImageSet, load, open_data
from engine.data.streaming import StreamedData, StreamedImages, Transforms

__all__ = [
    "Augmenter",
    "ImageData",
    "ImageSet",
    "Images",
    "StreamedData",
    "StreamedImages",
    "Transforms",
    "load",
    "normalise",
    "open_data",
]
