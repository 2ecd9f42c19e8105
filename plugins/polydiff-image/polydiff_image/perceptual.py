"""A reconstruction loss that sees pictures as a network of vision does."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from polydiff.data.codec import Codec
from polydiff.errors import UsageError
from polydiff_image.clip import Clip, ShowsColours


class PerceptualLoss:
    """The distance between the features of pictures in all layers of CLIP's vision transformer.

    As LPIPS (Zhang et al. 2018, https://arxiv.org/abs/1801.03924, eq. 1) with all weights 1: features are brought to
    length 1 at each place, and their squared differences are averaged over the places and the layers. It lies in
    [0, 4]. It tells little of exact colours, so put `l1` or `l2` beside it; a weight of about 0.1 is a start.

    Parameters
    ----------
    codec
        Of pictures.
    model
        The folder of a CLIP model, which stays as it is; see `Clip`.

    Raises
    ------
    UsageError
        As `Clip` does; when the codec's tensors are not pictures.
    """

    def __init__(self, codec: Codec, *, model: Path) -> None:
        if not isinstance(codec, ShowsColours):
            raise UsageError("reconstruction loss 'perceptual' needs a codec that shows pictures, such as 'pixels'")
        self.codec = codec
        self.clip = Clip(model)

    def __call__(self, y: Tensor, x: Tensor) -> Tensor:
        """Give each sample's distance, (B,), of what came back, `y`, and the data, both (B, C, H, W)."""
        self.clip.to(x.device)
        distances = [
            (nn.functional.normalize(a, dim=-1) - nn.functional.normalize(b, dim=-1)).square().sum(2).mean(1)
            for a, b in zip(self._features(y), self._features(x), strict=True)
        ]
        return sum(distances[1:], distances[0]) / len(distances)

    def _features(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.clip.features(self.codec.colours(x))
