"""Adversarial training on word embeddings: FGM, and noise of the same length as its control."""

from __future__ import annotations

import torch
from torch import Tensor

KINDS = ("fgm", "noise")


def perturbation(embeddings: Tensor, attention_mask: Tensor, gradient: Tensor | None, epsilon: float) -> Tensor:
    r"""How far each text's word embeddings are pushed: (n, length, d).

    .. math:: r = \epsilon\,\lVert E\rVert_F\; g / \lVert g\rVert_F

    E are the embeddings of one text (length, d), g the loss's gradient with respect to them; padding is left out
    of both and is not pushed. Source: FGM, Miyato, Dai & Goodfellow 2017, eq. 5, where embeddings are normalised
    and epsilon is absolute; here it is a share of the text's own norm, so that it means the same for every encoder.

    Parameters
    ----------
    embeddings : (n, length, d)
    attention_mask : (n, length)
    gradient : (n, length, d), or None for a random direction: same length, no knowledge of the loss
    epsilon : float
    """
    mask = attention_mask.unsqueeze(-1).to(embeddings)
    direction = (torch.randn_like(embeddings) if gradient is None else gradient) * mask
    length = (embeddings.detach() * mask).flatten(1).norm(dim=1)
    scale = epsilon * length / direction.flatten(1).norm(dim=1).clamp(min=1e-12)
    return (scale[:, None, None] * direction).detach()


def word_embeddings(model, input_ids: Tensor) -> Tensor:
    """The word embeddings of a batch, with a gradient even where the encoder is frozen."""
    table = model.encoder.get_input_embeddings()
    embeddings = table(input_ids.to(table.weight.device))
    return embeddings if embeddings.requires_grad else embeddings.requires_grad_()


def attacked(model, batch: dict, epsilon: float) -> Tensor:
    """The logits of a batch after an FGM step against its own labels: how a model fares under attack."""
    rest = {name: value for name, value in batch.items() if name != "input_ids"}
    with torch.enable_grad():
        embeddings = word_embeddings(model, batch["input_ids"])
        loss = model(inputs_embeds=embeddings, **rest).loss
        (gradient,) = torch.autograd.grad(loss, embeddings)
    with torch.no_grad():
        push = perturbation(embeddings, batch["attention_mask"], gradient, epsilon)
        return model(inputs_embeds=embeddings + push, **rest).logits
