"""A backbone that is told the noise level and the condition's vector as one embedding."""

from __future__ import annotations

from torch import Tensor, nn

from polydiff.core.condition import Condition, ConditionDims
from polydiff.nn.backbone import Backbone
from polydiff.nn.time_embedding import TimeEmbedding


class EmbeddedBackbone(Backbone):
    """A network whose blocks are scaled and shifted by one embedding: that of the noise level plus the vector's.

    Parameters
    ----------
    data_channels, condition
        See `Backbone`.
    embedding
        Its width.
    """

    def __init__(self, data_channels: int, condition: ConditionDims, embedding: int) -> None:
        super().__init__(data_channels, condition)
        self.time = TimeEmbedding(embedding)
        self.vector = nn.Linear(condition.vector, embedding, bias=False) if condition.vector else None

    def embed(self, log_snr: Tensor, cond: Condition) -> Tensor:
        """Embed `log_snr`, (B,), and the condition's vector: (B, embedding)."""
        embedding = self.time(log_snr)
        if self.vector is not None and cond.vector is not None:
            embedding = embedding + self.vector(cond.vector)
        return nn.functional.silu(embedding)
