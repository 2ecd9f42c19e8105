"""Networks that make one vector of data."""

import pytest
import torch

from polydiff.errors import UsageError
from polydiff.nn.grid_encoder import GridEncoder
from polydiff.nn.set_encoder import SetEncoder


@pytest.mark.parametrize("shape", [(2, 16), (3, 8, 8), (1, 4, 4, 4)])
def test_a_grid_of_any_dimension_becomes_a_vector(shape):
    encoder = GridEncoder(shape, channels=8, multipliers=(1, 2), places=2).eval()
    x = torch.randn(3, *shape)
    made = encoder(x)
    assert made.shape == (3, encoder.width) == (3, 16)
    torch.testing.assert_close(encoder(x[1:2]), made[1:2])


def test_a_grid_encoder_tells_where_something_is():
    torch.manual_seed(0)
    encoder = GridEncoder((1, 16, 16), channels=8, multipliers=(1, 2), places=2).eval()
    left, right = torch.zeros(2, 1, 1, 16, 16)
    left[..., 6:10, 2:6] = right[..., 6:10, 10:14] = 1
    assert (encoder(left) - encoder(right)).abs().max() > 1e-3


def test_sizes_that_the_factors_do_not_divide_are_refused():
    with pytest.raises(UsageError, match=r"6 x 6 is not a multiple of 4.*nearest: 4 x 4 or 8 x 8"):
        GridEncoder((3, 6, 6))
    with pytest.raises(UsageError, match="takes 1 to 3 dimensions and places >= 1, got 2 and 0"):
        GridEncoder((3, 8, 8), places=0)
    with pytest.raises(UsageError, match="takes 1 to 3 dimensions"):
        GridEncoder((8,))


def test_the_order_of_a_set_means_nothing():
    torch.manual_seed(0)
    encoder = SetEncoder((3, 20), width=16).eval()
    x = torch.randn(2, 3, 20)
    torch.testing.assert_close(encoder(x[..., torch.randperm(20)]), encoder(x))
    assert (encoder(x) - encoder(x + 0.1)).abs().max() > 1e-3
    with pytest.raises(UsageError, match="encoder 'set' takes data of one dimension"):
        SetEncoder((3, 8, 8))
