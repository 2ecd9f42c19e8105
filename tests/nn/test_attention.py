import math
from importlib.util import find_spec

import pytest
import torch
from torch import Tensor

from polydiff.errors import UsageError
from polydiff.nn.attention import Attention, AttentionBlock, attend

KERNELS = ["sdpa", "auto", "math"]
SHAPES = [(1, 1, 1, 1, 4), (2, 3, 5, 7, 8), (3, 2, 16, 9, 32)]  # B, heads, L, M, D


def qkv(shape: tuple[int, ...], **options) -> tuple[Tensor, Tensor, Tensor]:
    batch, heads, queries, keys, width = shape
    generator = torch.Generator().manual_seed(0)
    sizes = [(batch, heads, n, width) for n in (queries, keys, keys)]
    return tuple(torch.randn(size, generator=generator).to(**options) for size in sizes)


def partial_mask(batch: int, keys: int) -> Tensor:
    mask = torch.arange(keys)[None] < torch.arange(1, batch + 1)[:, None] * keys // batch
    mask[0] = False
    return mask


def by_hand(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Loop over every query: weights exp(q.k / sqrt(D)) over the keys that count, normalised."""
    out = torch.zeros_like(q)
    for b in range(q.shape[0]):
        keys = range(k.shape[2]) if mask is None else mask[b].nonzero().flatten().tolist()
        for h, i in torch.cartesian_prod(torch.arange(q.shape[1]), torch.arange(q.shape[2])).tolist():
            weights = [math.exp(float(q[b, h, i] @ k[b, h, j]) / math.sqrt(q.shape[-1])) for j in keys]
            for weight, j in zip(weights, keys, strict=True):
                out[b, h, i] += weight / sum(weights) * v[b, h, j]
    return out


def test_math_attention_is_the_weighted_mean_of_values():
    q, k, v = qkv((2, 2, 3, 5, 4), dtype=torch.float64)
    mask = torch.tensor([[True, False, True, True, False], [False, False, False, False, False]])
    for m in (None, mask):
        assert torch.allclose(attend(q, k, v, m, backend="math"), by_hand(q, k, v, m), atol=1e-12)


@pytest.mark.parametrize("backend", KERNELS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("masked", [False, True])
def test_backends_agree_with_math_in_value_and_gradient(backend, shape, masked):
    inputs = [x.requires_grad_() for x in qkv(shape)]
    mask = partial_mask(shape[0], shape[3]) if masked else None
    weights = torch.randn(*shape[:3], shape[4], generator=torch.Generator().manual_seed(1))
    results = []
    for name in (backend, "math"):
        out = attend(*inputs, mask, backend=name)
        results.append((out, *torch.autograd.grad((out * weights).sum(), inputs)))
    for got, expected in zip(*results, strict=True):
        assert torch.allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize("backend", KERNELS)
def test_strided_heads_give_what_contiguous_ones_give(backend):
    dense = qkv((2, 4, 6, 6, 8))
    strided = [x.transpose(1, 2).contiguous().transpose(1, 2) for x in dense]
    assert not strided[0].is_contiguous()
    expected = attend(*dense, backend=backend)
    assert torch.allclose(attend(*strided, backend=backend), expected, atol=1e-6)


@pytest.mark.parametrize("backend", KERNELS)
def test_a_sample_without_keys_gives_exact_zeros_and_no_gradient(backend):
    inputs = [x.requires_grad_() for x in qkv((2, 2, 5, 7, 8))]
    mask = torch.ones(2, 7, dtype=torch.bool)
    mask[0] = False
    out = attend(*inputs, mask, backend=backend)
    gradients = torch.autograd.grad(out.square().sum(), inputs)
    assert torch.equal(out[0], torch.zeros_like(out[0]))
    assert all(torch.equal(g[0], torch.zeros_like(g[0])) for g in gradients)
    assert out[1].abs().min() > 0
    assert all(g.isfinite().all() for g in gradients)
    assert gradients[2][1].abs().min() > 0


@pytest.mark.parametrize("backend", KERNELS)
def test_masked_keys_are_as_if_absent(backend):
    q, k, v = qkv((2, 2, 5, 7, 8))
    mask = torch.arange(7).expand(2, 7) < 4
    expected = attend(q, k[:, :, :4], v[:, :, :4], backend=backend)
    assert torch.allclose(attend(q, k, v, mask, backend=backend), expected, atol=1e-6)


@pytest.mark.parametrize("backend", ["sdpa", "math"])
def test_half_precision_stays_half_precision(backend):
    q, k, v = qkv((2, 2, 5, 7, 8), dtype=torch.bfloat16)
    out = attend(q, k, v, partial_mask(2, 7), backend=backend)
    assert out.dtype == torch.bfloat16
    reference = attend(q.double(), k.double(), v.double(), partial_mask(2, 7), backend="math")
    assert torch.allclose(out.double(), reference, atol=3e-2)


def test_an_unknown_backend_names_the_nearest():
    with pytest.raises(UsageError, match="unknown attention backend 'sdp'; did you mean 'sdpa'"):
        Attention(32, 32, 8, "sdp")


@pytest.mark.skipif(find_spec("xformers") is not None, reason="xformers is installed")
def test_a_backend_that_is_not_installed_says_what_to_install():
    with pytest.raises(UsageError, match=r"pip install 'polydiff\[xformers\]'"):
        Attention(32, 32, 8, "xformers")


def test_xformers_refuses_what_is_not_cuda(monkeypatch):
    monkeypatch.setattr("polydiff.nn.attention.find_spec", lambda name: name)
    with pytest.raises(UsageError, match="runs on CUDA, not on cpu; use 'sdpa'"):
        attend(*qkv(SHAPES[1]), backend="xformers")


def test_a_head_width_that_does_not_divide_names_one_that_does():
    with pytest.raises(UsageError, match="heads of width 32 do not divide 48 channels; 24 does"):
        Attention(48, 48, 32)


def test_heads_attend_separately(randomised):
    attention = randomised(Attention(16, 16, 8))
    x = torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        q = attention.query(x)
        k, v = attention.key_value(x).chunk(2, -1)
        heads = [attend(*(y[:, None, :, s] for y in (q, k, v)))[:, 0] for s in (slice(8), slice(8, 16))]
        assert torch.allclose(attention(x), attention.out(torch.cat(heads, -1)), atol=1e-5)


def test_an_attention_block_starts_as_the_identity():
    x = torch.randn(2, 16, 4, 4)
    assert torch.equal(AttentionBlock(16, 6, 8)(x, torch.randn(2, 3, 6)), x)


def test_cross_attention_without_tokens_that_count_changes_nothing(randomised):
    block = randomised(AttentionBlock(16, 6, 8))
    x, tokens = torch.randn(2, 16, 4, 4), torch.randn(2, 3, 6)
    mask = torch.tensor([[False, False, False], [True, False, False]])
    alone, crossed = block(x), block(x, tokens, mask)
    assert torch.equal(crossed[0], alone[0])
    assert (crossed[1] - alone[1]).abs().max() > 0.01


@pytest.mark.parametrize("sizes", [(12,), (4, 3), (2, 3, 2)])
def test_self_attention_is_blind_to_the_order_of_positions(sizes, randomised):
    block = randomised(AttentionBlock(16, 0, 8))
    x = torch.randn(2, 16, *sizes, generator=torch.Generator().manual_seed(0))
    order = torch.randperm(12, generator=torch.Generator().manual_seed(1))
    shuffled = x.flatten(2)[:, :, order].view_as(x)
    assert torch.allclose(block(shuffled).flatten(2), block(x).flatten(2)[:, :, order], atol=1e-5)


def test_attention_keeps_channels_last(randomised):
    block = randomised(AttentionBlock(16, 6, 8))
    x = torch.randn(2, 16, 4, 4).contiguous(memory_format=torch.channels_last)
    assert block(x, torch.randn(2, 3, 6)).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.skipif(not torch.cuda.is_available() or find_spec("xformers") is None, reason="needs CUDA and xformers")
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
@pytest.mark.parametrize("masked", [False, True])
def test_xformers_agrees_with_math_on_a_gpu(dtype, masked):
    inputs = [x.requires_grad_() for x in qkv((3, 2, 16, 9, 32), device="cuda", dtype=dtype)]
    mask = partial_mask(3, 9).cuda() if masked else None
    for backend in ("xformers", "auto"):
        outs = [attend(*inputs, mask, backend=name) for name in (backend, "math")]
        gradients = [torch.autograd.grad(out.square().sum(), inputs) for out in outs]
        atol = 1e-4 if dtype == torch.float32 else 2e-2
        assert torch.allclose(*outs, atol=atol)
        assert all(torch.allclose(*pair, atol=10 * atol) for pair in zip(*gradients, strict=True))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_sdpa_agrees_with_math_on_a_gpu(dtype):
    q, k, v = qkv((3, 2, 16, 9, 32), device="cuda", dtype=dtype)
    mask = partial_mask(3, 9).cuda()
    outs = [attend(q, k, v, mask, backend=name) for name in ("sdpa", "math")]
    assert torch.allclose(*outs, atol=1e-4 if dtype == torch.float32 else 2e-2)
    assert torch.equal(outs[0][0], torch.zeros_like(outs[0][0]))
