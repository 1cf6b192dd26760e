"""Random crops and flips of a whole batch at once, on the device that holds the images."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.data.images import Images

CROP_PADDING = 4  # pixels on each side, as in He et al. (2016)


def normalise(pixels_NHWC: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """Float images (N, C, H, W) in channels-last memory: (pixels / 255 - mean) / std."""
    device = pixels_NHWC.device
    mean_C = torch.tensor(mean, device=device)
    std_C = torch.tensor(std, device=device)
    scaled_NHWC = (pixels_NHWC.float() - 255 * mean_C) / (255 * std_C)
    return scaled_NHWC.permute(0, 3, 1, 2)


class Augmenter:
    """Augmented batches of a split: padded once, then one gather a batch does crop and flip.

    Draws come from the generator it is given (a CPU one, so that every device sees the same).
    """

    def __init__(
        self, images: Images, mean: tuple[float, ...], std: tuple[float, ...], flips: bool
    ) -> None:
        self.images = images
        self.mean, self.std, self.flips = mean, std, flips
        pad = CROP_PADDING
        # Padding with the mean colour is zero after normalising, as with torchvision's order.
        fill_C = torch.tensor([round(255 * m) for m in mean], dtype=torch.uint8)
        padded = F.pad(images.pixels_NHWC, (0, 0, pad, pad, pad, pad))
        border = F.pad(
            torch.ones(images.pixels_NHWC.shape[1:3], dtype=torch.bool), (pad, pad, pad, pad)
        )
        padded[:, ~border.to(padded.device)] = fill_C.to(padded.device)
        self.padded_NHWC = padded

    def batch(self, indices_B: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Augmented, normalised images (B, C, H, W) and labels (B,) of the given indices."""
        device = self.padded_NHWC.device
        height, width = self.images.pixels_NHWC.shape[1:3]
        count = len(indices_B)
        shifts_2B = torch.randint(0, 2 * CROP_PADDING + 1, (2, count), generator=generator)
        rows_BH = shifts_2B[0][:, None] + torch.arange(height)
        columns_BW = shifts_2B[1][:, None] + torch.arange(width)
        if self.flips:
            mirrored_B = torch.rand(count, generator=generator) < 0.5
            columns_BW = torch.where(mirrored_B[:, None], columns_BW.flip(1), columns_BW)
        indices_B, rows_BH, columns_BW = (
            t.to(device, non_blocking=True) for t in (indices_B, rows_BH, columns_BW)
        )
        crops_BHWC = self.padded_NHWC[
            indices_B[:, None, None], rows_BH[:, :, None], columns_BW[:, None, :]
        ]
        return normalise(crops_BHWC, self.mean, self.std), self.images.labels_N[indices_B]
