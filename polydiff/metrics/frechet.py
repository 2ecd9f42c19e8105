"""The Frechet distance between Gaussians fitted to features (Dowson and Landau 1982; Heusel et al. 2017)."""

from __future__ import annotations

import torch
from torch import Tensor

from polydiff.errors import UsageError


def frechet_distance(x: Tensor, y: Tensor) -> float:
    """Give |m_x - m_y|^2 + tr(C_x + C_y - 2 (C_x C_y)^(1/2)) of the samples' means and covariances.

    Biased upwards for few samples (2.2 between identical distributions at n = 1000, d = 64): report that of
    real data against real data, of the same numbers of samples, beside it.

    Parameters
    ----------
    x
        (n, d), n >= 2.
    y
        (m, d), m >= 2.

    Raises
    ------
    UsageError
        When either has fewer than two samples, or their widths differ.
    """
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or len(x) < 2 or len(y) < 2:
        raise UsageError(
            "the Frechet distance needs two tables of equal width with at least 2 samples each, "
            f"not {tuple(x.shape)} and {tuple(y.shape)}"
        )
    x, y = x.double(), y.double()
    cov_x, cov_y = _covariance(x), _covariance(y)
    offset = (x.mean(0) - y.mean(0)).square().sum()
    return float(offset + cov_x.trace() + cov_y.trace() - 2 * _trace_of_root(cov_x, cov_y))


def _covariance(x: Tensor) -> Tensor:
    centred = x - x.mean(0)
    return centred.T @ centred / (len(x) - 1)


def _trace_of_root(a: Tensor, b: Tensor) -> Tensor:
    """Give tr((a b)^(1/2)): a b has the eigenvalues of the symmetric a^(1/2) b a^(1/2)."""
    values, vectors = torch.linalg.eigh(a)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    product: Tensor = torch.linalg.eigvalsh(root @ b @ root)
    return product.clamp(min=0).sqrt().sum()
