"""Losses that look at a whole list, for training (torch): how alike it is, how likely as a set, what facets it shows.

`views` are arrays of item vectors, such as text and genre: each loss is averaged over them (a multi-view loss).
"""

from __future__ import annotations

import torch


def dispersion(shares: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
    """Expected cosine of two items drawn from each user's distribution: |sum_i p_i v_i|^2, (n, N), (N, d) -> (n,).

    `vectors` have length 1. It is 1 - ILD of an endless list drawn from the softmax, so it rewards flat distributions
    as well as spread ones.
    """
    return ((shares @ vectors) ** 2).sum(dim=1)


def kdpp_loss(relevance: torch.Tensor, kernel: torch.Tensor, n_chosen: int) -> torch.Tensor:
    """-log P that a k-DPP draws the first `n_chosen` of each row's items: (n, m), (n, m, m) -> (n,).

    L = Diag(q) K Diag(q) with q = exp(relevance / 2); P = det L_S / e_k(eigenvalues of L), e_k the elementary
    symmetric polynomial, which sums det L over all sets of k (Kulesza & Taskar 2011; as a ranking loss: LkP, Liu,
    Walder & Xie, ICDE 2024, arXiv:2406.15983). `kernel` must be positive definite.
    """
    relevance = relevance - relevance.mean(dim=1, keepdim=True)  # a constant cancels in P; without it exp can overflow
    root = torch.exp(relevance / 2)
    ensemble = root[:, :, None] * kernel * root[:, None, :]
    chosen = torch.linalg.slogdet(ensemble[:, :n_chosen, :n_chosen])[1]
    return torch.log(elementary_symmetric(torch.linalg.eigvalsh(ensemble), n_chosen)) - chosen


def elementary_symmetric(values: torch.Tensor, order: int) -> torch.Tensor:
    """e_k of each row: the sum of the products over all subsets of `order` values, (n, m) -> (n,)."""
    sums = [torch.ones_like(values[:, 0])] + [torch.zeros_like(values[:, 0])] * order
    for column in values.unbind(dim=1):
        sums = [sums[0]] + [sums[k] + column * sums[k - 1] for k in range(1, order + 1)]
    return sums[order]


def soft_alpha_dcg(
    scores: torch.Tensor, relevant: torch.Tensor, facets: torch.Tensor, temperature: float, alpha: float = 0.5
) -> torch.Tensor:
    """alpha-DCG with soft ranks: (n, m) scores and 0/1 relevance, (n, m, C) facets -> (n,), the larger the better.

    The rank of i is 1 + sum_j sigmoid((s_j - s_i) / T) and a facet's gain is (1 - alpha)^(how often relevant items
    above i have shown it), with the same sigmoids (DALETOR: Yan et al., WWW 2021, section 4). T -> 0 gives alpha-DCG
    (Clarke et al., SIGIR 2008). Divided by the number of facets that the relevant items have.
    """
    above = torch.sigmoid((scores[:, None, :] - scores[:, :, None]) / temperature)  # [i, j]: j stands above i
    above = above * (1 - torch.eye(scores.shape[1]))
    shown = torch.bmm(above * relevant[:, None, :], facets)
    gain = (facets * (1 - alpha) ** shown).sum(dim=2) * relevant
    total = (gain / torch.log2(2 + above.sum(dim=2))).sum(dim=1)
    return total / (facets * relevant[:, :, None]).amax(dim=1).sum(dim=1).clamp(min=1)
