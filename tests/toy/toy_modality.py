"""A modality small enough for tests: a content is a square of numbers, its file a line of text."""

import json
import re

import torch
from torch import nn

import polydiff
from polydiff.data.codec import Codec
from polydiff.data.example import Example
from polydiff.errors import UsageError
from polydiff.nn.autoencoder import Autoencoder, Posterior
from polydiff.nn.backbone import Backbone
from polydiff.nn.grid import check_grid
from polydiff.plugins.specs import (
    AugmentationSpec,
    AutoencoderSpec,
    BackboneSpec,
    CodecSpec,
    FileKindSpec,
    ModalitySpec,
    SourceSpec,
)

LIMIT = 0.62
"""The largest number that a file of the kind `numbers` is said to hold."""


@polydiff.hookimpl
def polydiff_modalities():
    yield ModalitySpec(
        name="toy",
        summary="squares of numbers",
        codecs=(CodecSpec("squares", "toy_modality:Squares"),),
        backbones=(BackboneSpec("toy-net", "toy_modality:ToyNet"),),
        autoencoders=(AutoencoderSpec("halves", "toy_modality:Halves"),),
        sources=(SourceSpec("ramps", "toy_modality:Ramps"),),
        augmentations=(AugmentationSpec("shake", "toy_modality:Shake", "noise on every number"),),
        files=(
            FileKindSpec("text", "toy_modality:text", suffix=".txt"),
            FileKindSpec("numbers", "toy_modality:numbers", suffix=".num", loss="toy_modality:beyond_limit"),
        ),
        preview="toy_modality:preview",
        trajectory="toy_modality:trajectory",
        normalize="toy_modality:to_limit",
        fidelity="toy_modality:fidelity",
    )


class Ramps:
    """Squares that rise to the right or to the bottom."""

    classes = ("right", "down")
    unreadable = ()

    def __len__(self):
        return 20

    def __getitem__(self, index):
        ramp = torch.linspace(-1, 1, 4).expand(4, 4) * (1 + index / 20)
        return Example((ramp.T if index % 2 else ramp).tolist(), self.name(index), self.label(index))

    def name(self, index):
        return f"ramp {index}"

    def label(self, index):
        return self.classes[index % 2]


class Shake:
    def __init__(self, std: float = 0.1) -> None:
        self.std = std

    def __call__(self, content, rng):
        return content + rng.normal(0, self.std, content.shape).astype(content.dtype)


class Squares(Codec):
    def __init__(self, size: int = 4) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("mean", torch.zeros(()))

    channels = property(lambda self: 1)
    shape = property(lambda self: (1, self.size, self.size))

    def shape_for(self, size):
        if not re.fullmatch(r"\d+x\d+", size):
            raise UsageError(f"'{size}' is no size; say 4x4")
        return 1, *map(int, size.split("x"))

    def encode(self, content):
        return torch.as_tensor(content)[None] - self.mean

    def decode(self, x):
        return [each[0].tolist() for each in x + self.mean]


class ToyNet(Backbone):
    """Every pixel of the output depends on every one of the input; batches of it are not computed bit for bit alike."""

    def __init__(self, data_channels, condition, *, width: int = 16, repeated: int = 0):
        super().__init__(data_channels, condition)
        self.repeated = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(repeated))
        self.into = nn.Conv2d(data_channels, width, 3, padding=1)
        self.time = nn.Linear(1, width)
        self.vector = nn.Linear(condition.vector, width, bias=False) if condition.vector else None
        self.out = nn.Conv2d(width, data_channels, 3, padding=1)

    def forward(self, x, log_snr, cond=None):
        h = self.into(x) + self.time(log_snr[:, None])[:, :, None, None]
        if self.vector is not None and cond is not None and cond.vector is not None:
            h = h + self.vector(cond.vector)[:, :, None, None]
        for layer in self.repeated:
            h = h + layer(torch.tanh(h))
        return self.out(torch.tanh(h + h.mean((2, 3), keepdim=True)))

    def check_shape(self, shape):
        if any(n % 2 for n in shape[1:]):
            near = "x".join(str(n + n % 2) for n in shape[1:])
            raise UsageError(f"size {'x'.join(map(str, shape[1:]))}: each side must be even; {near} is")


class Halves(Autoencoder):
    """Each square of four numbers as `latent` numbers, linearly and with dropout."""

    def __init__(self, data_shape, *, latent: int = 2, dropout: float = 0.0):
        super().__init__(data_shape)
        self.latent = latent
        self.dropout = nn.Dropout(dropout)
        self.into = nn.Conv2d(data_shape[0], 2 * latent, 2, stride=2)
        self.out = nn.ConvTranspose2d(latent, data_shape[0], 2, stride=2)

    def latent_shape(self, shape):
        check_grid(shape, channels=self.data_shape[0], dimension=2, factor=2)
        return self.latent, shape[1] // 2, shape[2] // 2

    def encode(self, x):
        return Posterior.of(self.into(self.dropout(x)))

    def decode(self, z):
        return self.out(z)


def text(content, metadata):
    return json.dumps({"content": content, "metadata": dict(metadata)}).encode()


def numbers(content, metadata):
    return json.dumps(content).encode()


def largest(content):
    return torch.as_tensor(content).abs().max().item()


def beyond_limit(content):
    return f"reaches {largest(content):.2f}" if largest(content) > LIMIT else None


def to_limit(content):
    return (torch.as_tensor(content) * (LIMIT / 2 / largest(content))).tolist()


def preview(contents, captions):
    return json.dumps([contents, captions]).encode()


def fidelity(content, original):
    return {"largest_difference": (torch.as_tensor(content) - torch.as_tensor(original)).abs().max().item()}


def trajectory(contents):
    return {"-strip.png": json.dumps(contents).encode(), ".gif": str(len(contents)).encode()}
