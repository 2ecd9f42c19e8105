"""The functions of exponential integrators in data-prediction form.

Along the probability flow, y = x / sigma obeys dy / dlambda = e^lambda x0, so that a step of length h from lambda is
x_s = (sigma_s / sigma_t) x_t + alpha_s sum_k h^k phi_k(h) d^(k-1) x0 / dlambda^(k-1), k = 1, 2, ...
"""

from __future__ import annotations

import math

_SERIES = 1.0
_TERMS = 20


def phi(k: int, h: float) -> float:
    """Give phi_k(h) = h^-k int_0^h e^(tau - h) tau^(k-1) / (k-1)! dtau, for k of at least 1.

    phi_1 = (1 - e^-h) / h and phi_(k+1) = (1 / k! - phi_k) / h, which loses digits near 0: there the series is summed.
    """
    if abs(h) < _SERIES:
        return math.fsum((-h) ** j / math.factorial(j + k) for j in range(_TERMS))
    if k == 1:
        return -math.expm1(-h) / h
    return (1 / math.factorial(k - 1) - phi(k - 1, h)) / h
