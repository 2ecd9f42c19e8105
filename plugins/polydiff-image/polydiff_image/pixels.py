"""Pictures as tensors of pixels."""

from __future__ import annotations

import re
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageColor
from torch import Tensor

from polydiff.data.codec import Codec
from polydiff.errors import PolydiffError, RecipeError, UsageError
from polydiff_image.pictures import SHRUNK, normalise

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_LUMA = np.array([[0.299], [0.587], [0.114]], np.float32)  # ITU-R BT.601, as Pillow's own conversion


class Pixels(Codec):
    """Pictures as (C, H, W), black at -1 and white at 1.

    A picture that already has the codec's size and channels comes back from `decode` as it was.

    Parameters
    ----------
    size
        The side of a square, or (width, height).
    channels
        1 for grey, 3 for colour, 4 for colour with transparency.
    fit
        How a picture of another size is fitted: "crop" fills the frame and cuts what protrudes, evenly on both sides;
        "pad" shows all of it on the background; "stretch" changes its proportions.
    background
        What shows through transparency, unless there are 4 channels, and beside padded pictures: a name or #rrggbb.
    """

    def __init__(
        self,
        size: int | tuple[int, int] = 64,
        channels: Literal[1, 3, 4] = 3,
        fit: Literal["crop", "pad", "stretch"] = "crop",
        background: str = "white",
    ) -> None:
        super().__init__()
        self.width, self.height = (size, size) if isinstance(size, int) else size
        if min(self.width, self.height) < 1:
            raise UsageError(f"size is {self.width} x {self.height}; it must be at least 1 x 1")
        self.fitting = fit
        self._channels = channels
        try:
            colour = ImageColor.getcolor(background, _MODES[channels])
        except ValueError as error:
            raise UsageError(f"background '{background}' is no colour; say white or #ffffff") from error
        self._background = np.atleast_1d(np.asarray(colour, np.float32))

    @property
    def channels(self) -> int:
        """1, 3 or 4."""
        return self._channels

    @property
    def shape(self) -> tuple[int, ...]:
        """(channels, height, width)."""
        return self._channels, self.height, self.width

    def shape_for(self, size: str) -> tuple[int, ...]:
        """Read "96" (a square) or "96x64" (width x height)."""
        match = re.fullmatch(r"([1-9]\d*)(?:[x×]([1-9]\d*))?", size.strip().lower())
        if match is None:
            raise UsageError(f"'{size}' is no picture size; say 96 for a square or 96x64 for width x height")
        width, height = match[1], match[2] or match[1]
        return self._channels, int(height), int(width)

    def encode(self, content: Image.Image) -> Tensor:
        """Fit a picture into the frame; a Lanczos filter that widens as pictures shrink keeps it free of aliases.

        Raises
        ------
        RecipeError
            When the source decoded the picture at a reduced size that is too small for the frame.
        """
        self._check_shrunk(content)
        picture = normalise(content)
        if picture.size != (self.width, self.height):
            picture = self._fit(picture)
        levels = np.asarray(picture, np.float32)
        if picture.mode == "F":  # the filter overshoots at edges; what is kept in bytes, Pillow clips
            levels = levels.clip(0, 255)
        frame = self._in_channels(levels if levels.ndim == 3 else levels[..., None])
        if picture.size != (self.width, self.height):
            frame = self._padded(frame)
        return torch.from_numpy(np.ascontiguousarray((frame / np.float32(127.5) - 1).transpose(2, 0, 1)))

    def decode(self, x: Tensor) -> list[Image.Image]:
        """Make pictures of a batch (B, C, H, W), H and W as they come; what lies beyond [-1, 1] becomes -1 or 1.

        Raises
        ------
        PolydiffError
            When `x` is not finite.
        """
        if not x.isfinite().all():
            raise PolydiffError("the samples are not finite: the network has diverged")
        levels = x.detach().float().add(1).mul(127.5).round().clamp(0, 255).to("cpu", torch.uint8)
        arrays = levels.permute(0, 2, 3, 1).contiguous().numpy()
        return [Image.fromarray(array.squeeze(2) if self._channels == 1 else array) for array in arrays]

    def colours(self, x: Tensor) -> Tensor:
        """Give what `decode` shows as a tensor, not rounded: (B, 3, H, W) in [0, 1], differentiable by `x`.

        Grey is grey in three channels; through transparency shows the background.
        """
        levels = x.add(1).div(2).clamp(0, 1)
        if self._channels == 4:
            background = x.new_tensor(self._background[:3, None, None] / 255)
            return torch.lerp(background, levels[:, :3], levels[:, 3:])
        return levels.expand(-1, 3, -1, -1)

    def _check_shrunk(self, content: Image.Image) -> None:
        size = content.info.get(SHRUNK)
        if size is not None and (size[0] < self.width or size[1] < self.height):
            raise RecipeError(
                f"data.source.shrink_to: pictures are decoded at {size[0]} x {size[1]} for a codec of "
                f"{self.width} x {self.height}; say shrink_to={2 * max(self.width, self.height)}"
            )

    def _fit(self, picture: Image.Image) -> Image.Image:
        """Resample what is to be seen of a picture to the size at which it stands in the frame."""
        width, height = picture.size
        size = self.width, self.height
        left = top = 0.0
        if self.fitting == "pad":
            scale = min(self.width / width, self.height / height)
            size = max(1, round(width * scale)), max(1, round(height * scale))
        elif self.fitting == "crop":
            scale = max(self.width / width, self.height / height)
            left = max(0.0, (width - self.width / scale) / 2)  # rounding can bring it below
            top = max(0.0, (height - self.height / scale) / 2)
        box = left, top, width - left, height - top
        return picture.resize(size, Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)

    def _in_channels(self, levels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Convert (H, W, grey | grey + alpha | RGB | RGBA), 0..255, to the codec's channels."""
        depth = 1 if levels.shape[2] < 3 else 3
        colours, alpha = levels[..., :depth], levels[..., depth:]
        if self._channels == 4:
            opaque = np.full_like(levels[..., :1], 255)
            shape = *levels.shape[:2], 3
            return np.dstack([np.broadcast_to(colours, shape), alpha if alpha.size else opaque])
        if depth == 3 and self._channels == 1:
            colours = colours @ _LUMA
        elif depth < self._channels:
            colours = np.broadcast_to(colours, (*levels.shape[:2], self._channels))
        if alpha.size:
            opacity = alpha / np.float32(255)
            colours = self._background * (1 - opacity) + colours * opacity
        return colours

    def _padded(self, levels: NDArray[np.float32]) -> NDArray[np.float32]:
        frame = np.empty((self.height, self.width, self._channels), np.float32)
        frame[:] = self._background
        height, width = levels.shape[:2]
        top, left = (self.height - height) // 2, (self.width - width) // 2
        frame[top : top + height, left : left + width] = levels
        return frame
