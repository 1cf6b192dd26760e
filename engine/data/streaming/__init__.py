"""Images that are decoded when they are needed: for data sets that do not fit in memory."""

from engine.data.streaming.choosing import chosen_loader
from engine.data.streaming.data import StreamedData, StreamedImages
from engine.data.streaming.opening import Way, open_streamed
from engine.data.streaming.preparing import Transforms

__all__ = ["StreamedData", "StreamedImages", "Transforms", "Way", "chosen_loader", "open_streamed"]
