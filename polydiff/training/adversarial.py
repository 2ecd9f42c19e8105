"""A reconstruction loss that learns: what comes back should pass for real."""

from __future__ import annotations

from torch import Tensor, nn
from torch.func import functional_call

from polydiff.data.codec import Codec
from polydiff.errors import UsageError
from polydiff.nn.patch_critic import PatchCritic


class Adversarial(nn.Module):
    """A critic of patches, trained to tell what comes back from the data, and the autoencoder to deceive it.

    The hinge losses of Lim & Ye 2017 ("Geometric GAN") in one. Of the critic D's, max(0, 1 - D(x)) + max(0, 1 + D(y)),
    the gradient goes to the critic alone; of the autoencoder's, -D(y), to what came back, y, alone. So both make
    their steps at once. It makes sharp what other losses leave blurred, of data on a grid, and wants a small weight and
    another loss beside it. The critic lies in checkpoints and not in the codec's folder.

    Parameters
    ----------
    codec
        That of the data.
    width
        Of the critic's first layer; each further one is twice as wide.
    layers
        How many times it halves the resolution.

    Raises
    ------
    UsageError
        When an option is out of its range.
    """

    def __init__(self, codec: Codec, *, width: int = 32, layers: int = 3) -> None:
        super().__init__()
        if width < 1 or layers < 1:
            raise UsageError(f"width and layers are {width} and {layers}; both must be at least 1")
        channels, *sizes = codec.shape
        if min(sizes) < 2**layers:
            raise UsageError(f"data of {min(sizes)} along an axis cannot be halved {layers} times; give fewer layers")
        self.critic = PatchCritic(len(sizes), channels, width, layers)

    def forward(self, y: Tensor, x: Tensor) -> Tensor:
        """Give each sample's loss, (B,): that of the critic and that of what came back."""
        frozen = {name: parameter.detach() for name, parameter in self.critic.named_parameters()}
        deceives = -functional_call(self.critic, frozen, (y,))
        real, made = self.critic(x), self.critic(y.detach())
        tells = nn.functional.relu(1 - real) + nn.functional.relu(1 + made)
        loss: Tensor = (deceives + tells).mean(1)
        return loss
