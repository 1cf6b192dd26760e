"""Where images come from: folders, zips, .npz and IDX files, torchvision's sets, the sample."""

from engine.data.sources.names import KNOWN_NAMES, sample_file
from engine.data.sources.opening import open_source
from engine.data.sources.source import Source

__all__ = ["KNOWN_NAMES", "Source", "open_source", "sample_file"]
