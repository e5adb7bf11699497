"""BERTRecommender: stars from the text of a review, and from who reads it. The article's class, repaired."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging

from recsys_lib.encoders.pretrained import model_folder
from recsys_lib.encoders.text import PACKAGED

HEADS = ("softmax", "regression", "ordinal")


class Output(NamedTuple):
    """What a forward pass gives: logits (n, n_outputs), and the mean loss where labels were passed."""

    logits: Tensor
    loss: Tensor | None


class BERTRecommender(nn.Module):
    r"""A pretrained encoder, masked mean pooling, and a head of two layers that predicts 1 … `n_levels` stars.

    Heads, for a label :math:`y \in \{0, …, K-1\}` (stars minus one):

    - "softmax": K logits, cross-entropy. Blind to the order of the stars.
    - "regression": one number, squared error. Sees the order, gives no probabilities.
    - "ordinal": CORAL (Cao, Mirjalili & Raschka, 2020). K-1 questions "more than k stars?" that share one weight
      vector and differ in their bias: :math:`P(y > k) = \sigma(w^\top h + b_k)`, summed binary cross-entropy.

    Parameters
    ----------
    name_or_path : str
        The packaged MiniLM, or a folder or Hugging Face id for `AutoModel` ("bert-base-cased").
    head : "softmax", "regression" or "ordinal"
    n_levels : int
        K, the number of different star ratings.
    dropout : float
        After pooling and before the last layer.
    trainable_layers : int, optional
        How many of the last transformer layers are fine-tuned; 0 freezes the encoder. Default: all of them and
        the word embeddings.
    user_size : int, optional
        Dimensions of a user vector, for instance a history pooled by `pooled_history`. It enters the head beside
        the text and multiplied with it, so that one text can score differently for two people. Default: no user
        side.
    rng : int, Generator or None
        Draws the head's first weights.

    Raises
    ------
    ValueError
        For a head, a number of layers or of levels that there is not.
    """

    def __init__(
        self,
        name_or_path: str = PACKAGED,
        *,
        head: str = "softmax",
        n_levels: int = 5,
        dropout: float = 0.1,
        trainable_layers: int | None = None,
        user_size: int | None = None,
        rng=0,
    ):
        super().__init__()
        if head not in HEADS:
            raise ValueError(f"there is no head {head!r}. There are: {', '.join(HEADS)}")
        if n_levels < 2:
            raise ValueError(f"n_levels must be at least 2, not {n_levels}")
        self.head, self.n_levels, self.user_size = head, n_levels, user_size
        self.encoder = load_encoder(name_or_path)
        freeze(self.encoder, trainable_layers)
        size = self.encoder.config.hidden_size
        with torch.random.fork_rng(devices=[]):  # torch's own generator is left as it was
            torch.manual_seed(int(np.random.default_rng(rng).integers(2**31)))
            self.project_user = nn.Linear(user_size, size, bias=False) if user_size else None
            self.hidden = nn.Linear(3 * size if user_size else size, size)
            n_outputs = {"softmax": n_levels, "regression": 1, "ordinal": n_levels - 1}[head]
            self.output = nn.Linear(size, 1, bias=False) if head == "ordinal" else nn.Linear(size, n_outputs)
        self.thresholds = nn.Parameter(torch.zeros(n_outputs)) if head == "ordinal" else None
        self.dropout = nn.Dropout(dropout)

    def forward(self, input_ids=None, attention_mask=None, *, inputs_embeds=None, users=None, labels=None) -> Output:
        """Logits and loss of one batch, which may lie on another device than the model.

        Parameters
        ----------
        input_ids, attention_mask : (n, length) tensors, as the tokenizer makes them
        inputs_embeds : (n, length, d) tensor, instead of `input_ids`: where adversarial training pushes
        users : (n, user_size) tensor; a row of zeros is a person who is not known
        labels : (n,) int64 tensor of stars minus one
        """
        users, labels = self._here(users), self._here(labels)
        logits = self.score(self.encode(input_ids, attention_mask, inputs_embeds=inputs_embeds), users)
        return Output(logits, None if labels is None else self.loss(logits, labels))

    def encode(self, input_ids=None, attention_mask=None, *, inputs_embeds=None) -> Tensor:
        """The pooled text: (n, d), the mean of the last hidden states over the real tokens."""
        given = {"input_ids": self._here(input_ids)} if inputs_embeds is None else {"inputs_embeds": inputs_embeds}
        attention_mask = self._here(attention_mask)
        states = self.encoder(**given, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(states.dtype)
        return (states * mask).sum(1) / mask.sum(1).clamp(min=1)

    def _here(self, values: Tensor | None) -> Tensor | None:
        return None if values is None else values.to(self.hidden.weight.device)

    def score(self, pooled: Tensor, users: Tensor | None = None) -> Tensor:
        """Logits (n, n_outputs) of pooled texts (n, d): the head alone, for texts that were encoded once."""
        if (users is None) != (self.project_user is None):
            raise ValueError(
                "this model has a user side: pass users=(n, user_size)"
                if users is None
                else "this model has no user side: build it with user_size=..."
            )
        if users is not None:
            person = self.project_user(users)
            pooled = torch.cat([pooled, person, pooled * person], dim=1)
        logits = self.output(self.dropout(F.gelu(self.hidden(self.dropout(pooled)))))
        return logits if self.thresholds is None else logits + self.thresholds

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The head's mean loss; labels (n,) are stars minus one."""
        logits = logits.float()  # half precision ends here
        if self.head == "softmax":
            return F.cross_entropy(logits, labels)
        if self.head == "regression":
            return F.mse_loss(logits.squeeze(1), labels.float())
        above = (labels.unsqueeze(1) > torch.arange(self.n_levels - 1, device=labels.device)).float()
        return F.binary_cross_entropy_with_logits(logits, above, reduction="none").sum(1).mean()

    @torch.no_grad()
    def start_at_prior(self, labels) -> None:
        """Set the last biases to the shares of the labels (n,): the first predictions are then the average ones."""
        counts = np.bincount(np.asarray(labels), minlength=self.n_levels) + 1.0
        share = torch.as_tensor(counts / counts.sum(), dtype=torch.float32)
        above = share.flip(0).cumsum(0).flip(0)[1:]
        if self.head == "softmax":
            self.output.bias.copy_(share.log())
        elif self.head == "regression":
            self.output.bias.copy_(above.sum())
        else:
            self.thresholds.copy_(torch.logit(above))

    def probabilities(self, logits) -> np.ndarray:
        """P(1 star), …, P(K stars): (n, K), rows sum to 1. The head "regression" has none and raises a ValueError."""
        logits = torch.as_tensor(logits).float().cpu()
        if self.head == "softmax":
            return logits.softmax(dim=1).numpy()
        if self.head == "regression":
            raise ValueError('the head "regression" predicts one number, not probabilities. Use expected_rating')
        above = logits.sigmoid().numpy()  # the biases may cross in training: repaired so that no share is negative
        above = np.minimum.accumulate(above, axis=1)
        edge = np.ones((len(above), 1), above.dtype)
        return -np.diff(np.hstack([edge, above, 0 * edge]), axis=1)

    def expected_rating(self, logits) -> np.ndarray:
        """The expected stars, (n,) between 1 and K: the sum of k P(k), or the regression's output, clipped."""
        if self.head == "regression":
            return np.clip(1 + torch.as_tensor(logits).float().cpu().numpy()[:, 0], 1, self.n_levels)
        return self.probabilities(logits) @ np.arange(1, self.n_levels + 1, dtype=np.float32)

    def predicted_stars(self, logits) -> np.ndarray:
        """A whole rating, (n,) int in 1 … K, by each head's own rule.

        "softmax": the most likely one; "regression": the expected one, rounded; "ordinal": one more than the number
        of thresholds that are passed with P > 1/2, the median (Cao et al., 2020, eq. 1).
        """
        if self.head == "regression":
            return np.rint(self.expected_rating(logits)).astype(int)
        shares = self.probabilities(logits)
        if self.head == "softmax":
            return 1 + shares.argmax(axis=1)
        return 1 + (1 - shares.astype(float).cumsum(axis=1)[:, :-1] > 0.5).sum(axis=1)

    @property
    def n_trainable(self) -> int:
        """How many parameters training changes."""
        return sum(parameter.numel() for parameter in self.parameters() if parameter.requires_grad)


def load_encoder(name_or_path: str = PACKAGED) -> nn.Module:
    """The encoder without its pooler, which masked mean pooling replaces."""
    logging.disable_progress_bar()  # it would stay in a notebook's output
    encoder = AutoModel.from_pretrained(model_folder(name_or_path))
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None
    return encoder


def load_tokenizer(name_or_path: str = PACKAGED):
    """The tokenizer that belongs to `load_encoder(name_or_path)`."""
    return AutoTokenizer.from_pretrained(model_folder(name_or_path))


def transformer_layers(encoder: nn.Module) -> list[nn.Module]:
    """The encoder's blocks, first to last: the longest list of modules in it, whatever the architecture calls it."""
    lists = [module for module in encoder.modules() if isinstance(module, nn.ModuleList)]
    if not lists:
        raise ValueError(f"{type(encoder).__name__} holds no list of layers: it is no transformer that this code knows")
    return list(max(lists, key=len))


def freeze(encoder: nn.Module, trainable_layers: int | None) -> None:
    """Leave gradients to the last `trainable_layers` blocks; None leaves everything trainable."""
    if trainable_layers is None:
        return
    layers = transformer_layers(encoder)
    if not 0 <= trainable_layers <= len(layers):
        raise ValueError(f"trainable_layers must lie between 0 and {len(layers)}, not {trainable_layers}")
    encoder.requires_grad_(False)
    for layer in layers[len(layers) - trainable_layers :]:
        layer.requires_grad_(True)


def add_lora(model: BERTRecommender, *, rank: int = 8, alpha: int = 16, dropout: float = 0.1, rng=0) -> BERTRecommender:
    """Freeze the encoder and add low-rank updates to its attention (Hu et al., 2021): W + (alpha / rank) B A.

    peft knows which matrices those are for an architecture (BERT: query and value). The head stays trainable.
    Changes `model` and returns it.
    """
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise ImportError("LoRA needs peft: pip install 'recsys-lib[training]'") from error
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(np.random.default_rng(rng).integers(2**31)))
        model.encoder = get_peft_model(model.encoder, LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout))
    return model


def pooled_history(item_vectors, ratings) -> np.ndarray:
    """A user vector from what the person rated: the mean of the item vectors, weighted by rating minus own mean.

    Parameters
    ----------
    item_vectors : (n_items, d) array
    ratings : (n_users, n_items) sparse matrix of stars, 0 where there is none

    Returns
    -------
    (n_users, d) float32: what the person likes more than what else he rated. Zeros for someone without history,
    and for one who gave every item the same stars.
    """
    ratings = ratings.tocsr().astype(np.float64)
    count = np.diff(ratings.indptr)
    mean = np.divide(np.asarray(ratings.sum(axis=1)).ravel(), count, out=np.zeros(len(count)), where=count > 0)
    weights = ratings.copy()
    weights.data -= np.repeat(mean, count)
    total = np.asarray(abs(weights).sum(axis=1)).ravel()
    return (weights @ np.asarray(item_vectors) / np.maximum(total, 1e-12)[:, None]).astype(np.float32)
