"""LambdaBetaRecommender: the article's content, user and related-item terms in a model that has an optimum."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from recsys_lib.models.base import Recommender

LOSSES = ("softmax", "pairwise", "squared")
DIVERSITIES = ("dispersion", "dpp", "facets")
POSITIVE_WEIGHT = 4.0  # confidence of a seen cell in the squared loss, where an unseen one counts 1
SET_SIZE = 5  # items that a k-DPP draws, out of twice as many
DEPTH = 64  # items of each soft list


class LambdaBetaRecommender(Recommender):
    r"""A user vector meets three vectors of each item: its text, what ratings alone say of it, and its neighbours.

    .. math:: s_{ui} = \frac{1}{\tau}\big(w_1 \cos(e_i, x_u) + w_2 \cos(q_i, x_u) + w_3 \cos(y_i, x_u)\big) + b_i,
              \quad w = \frac{(1, \lambda, \beta)}{1 + \lambda + \beta}

    x_u = sum_j of u's history (v_j + U t_j), a linear encoder of the rating vector; e_i = A t_i for the item's text
    vector t_i; q_i is free; y_i = sum_j S_ij (e_j + q_j) over the items most often chosen together with i. These are
    the article's terms, with three repairs: every term depends on user *and* item, the loss has a partition (or
    negatives, or a price on unseen cells) that forbids the collapse, and lambda and beta can be learned.

    Each step hides a part of every history and asks for it back; the part that is shown is neither asked for nor a
    negative. (S is counted once from all of `train`, so it has seen what a step hides; every interaction is a positive,
    whatever its rating: filter the ratings before where this matters.) AdamW, constant rate; the returned parameters
    are the mean over the last third of the steps.

    Parameters
    ----------
    user_weight, related_weight : float, optional
        lambda and beta, relative to a content weight of 1; both None: learned.
    loss : "softmax" (over the whole catalogue), "pairwise" (BPR, one negative a positive) or "squared" (all cells)
    diversity : None, "dispersion", "dpp" or "facets"
        A term of `list_losses` on the views. "facets" takes views of memberships (0 and 1) such as genres.
    diversity_weight : float
    n_factors : int
    temperature : float
        tau where training starts; it is learned.
    neighbours : int
        How many related items make y_i. An item without interactions takes its nearest in the text.
    epochs, batch_size, learning_rate, weight_decay : of AdamW; a batch is so many users
    dropout : float
        Share of a history that is hidden.
    after_epoch : callable, optional
        Called with the model after each epoch, when `score` works.
    rng : int, Generator or None

    Notes
    -----
    `item_vectors` is the text array, or a dict: "content" is t, "related" (optional) takes the place of the
    neighbours' mean, y_i = A related_i, and every other name is a view of the diversity term (default: the content).

    Attributes
    ----------
    weights_ : (3,) w of content, user and related; `lambda_` and `beta_` are w2 / w1 and w3 / w1.
    user_vectors_ : (n_users, n_factors) unit vectors x.
    parts_ : (3, n_items, n_factors) unit vectors e, q, y.
    bias_, temperature_, losses_
    """

    def __init__(
        self,
        *,
        user_weight: float | None = None,
        related_weight: float | None = None,
        loss: str = "softmax",
        diversity: str | None = None,
        diversity_weight: float = 1.0,
        n_factors: int = 64,
        temperature: float = 0.1,
        neighbours: int = 20,
        epochs: int = 30,
        batch_size: int = 256,
        learning_rate: float = 3e-3,
        weight_decay: float = 0.01,
        dropout: float = 0.5,
        after_epoch: Callable | None = None,
        rng=0,
    ):
        self.user_weight, self.related_weight, self.loss = user_weight, related_weight, loss
        self.diversity, self.diversity_weight = diversity, diversity_weight
        self.n_factors, self.temperature, self.neighbours = n_factors, temperature, neighbours
        self.epochs, self.batch_size, self.learning_rate = epochs, batch_size, learning_rate
        self.weight_decay, self.dropout, self.after_epoch, self.rng = weight_decay, dropout, after_epoch, rng

    def _fit(self, train, item_vectors):
        import torch  # takes seconds: whoever only imports the models does not wait for it

        self._check()
        vectors = self._named(item_vectors)
        rng = np.random.default_rng(self.rng)
        with torch.random.fork_rng():
            torch.manual_seed(int(rng.integers(2**31)))
            network = _Network(self, train, vectors)
            self._train(network)

    def _train(self, network) -> None:
        import torch

        decayed, plain = network.groups()
        optimiser = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": self.weight_decay}, {"params": plain, "weight_decay": 0.0}],
            lr=self.learning_rate,
        )
        n_users = self.train_.n_users
        n_averaged = max(1, self.epochs // 3)
        average = None
        self.losses_ = []
        for epoch in range(self.epochs):
            losses = []
            for rows in torch.randperm(n_users).split(self.batch_size):
                loss = network.batch_loss(rows)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                losses.append(loss.item())
                if epoch >= self.epochs - n_averaged:
                    average = network.average(average)
            self.losses_.append(float(np.mean(losses)))
            if self.after_epoch is not None:
                self._keep(network.state())
                self.after_epoch(self)
        network.load(average)
        self._keep(network.state())

    def _keep(self, state: dict) -> None:
        self.user_vectors_, self.parts_, self.weights_ = state["users"], state["parts"], state["weights"]
        self.bias_, self.temperature_ = state["bias"], state["temperature"]
        self.lambda_, self.beta_ = (float(weight / max(self.weights_[0], 1e-12)) for weight in self.weights_[1:])

    def terms(self, users) -> np.ndarray:
        """The weighted terms of the score: (3, len(users), n_items); their sum and `bias_` make the score."""
        cosines = np.einsum("ud,kid->kui", self.user_vectors_[users], self.parts_, optimize=True)
        return cosines * (self.weights_ / self.temperature_)[:, None, None]

    def contributions(self, users=None) -> np.ndarray:
        """How much each term moves a user's ranking: (3,) standard deviations over items, averaged over users."""
        users = np.arange(min(self.train_.n_users, 1000)) if users is None else users
        return self.terms(users).std(axis=2).mean(axis=1)

    def score(self, users):
        mixed = np.tensordot(self.weights_ / self.temperature_, self.parts_.astype(np.float64), axes=1)
        return (self.user_vectors_[users].astype(np.float64) @ mixed.T + self.bias_).astype(np.float32)

    def _check(self) -> None:
        if (self.user_weight is None) != (self.related_weight is None):
            raise ValueError("give user_weight and related_weight both, or neither to learn them")
        if self.user_weight is not None and min(self.user_weight, self.related_weight) < 0:
            raise ValueError(
                f"user_weight and related_weight must not be negative, but are {self.user_weight} and "
                f"{self.related_weight}"
            )
        for name, allowed in (("loss", LOSSES), ("diversity", (None, *DIVERSITIES))):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is {getattr(self, name)!r}. It can be {', '.join(map(repr, allowed))}")
        for name in ("n_factors", "neighbours", "epochs", "batch_size"):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or value < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, not {value!r}")
        if not (0 < self.dropout < 1 and self.temperature > 0):
            raise ValueError(
                f"dropout must lie between 0 and 1 and temperature above 0, but are {self.dropout} and "
                f"{self.temperature}"
            )

    @staticmethod
    def _named(item_vectors) -> dict[str, np.ndarray]:
        if item_vectors is None:
            raise ValueError("LambdaBetaRecommender reads content: call fit(train, item_vectors)")
        named = item_vectors if isinstance(item_vectors, dict) else {"content": item_vectors}
        if "content" not in named:
            raise ValueError(f"item_vectors needs an array named 'content', beside {', '.join(map(repr, named))}")
        return {name: np.asarray(values, np.float32) for name, values in named.items()}


def related_items(train, content: np.ndarray, n: int) -> np.ndarray:
    """(n_items, n_items) float32: row i weighs the n items most often chosen together with i (cosine), summing to 1.

    An item without interactions takes the n nearest of `content` (cosine); rows without any relation are 0.
    """
    matrix = (train.matrix > 0).astype(np.float32)
    together = (matrix.T @ matrix).toarray()
    length = np.sqrt(np.diag(together))
    similar = together / np.maximum(np.outer(length, length), 1e-12)
    cold = length == 0
    norm = np.linalg.norm(content, axis=1, keepdims=True)
    if (off := (norm > 0) & (np.abs(norm - 1) > 1e-3)).any():
        content = np.where(off, content / np.where(norm > 0, norm, 1), content)
    similar[cold] = np.maximum(content[cold] @ content.T, 0)
    similar[:, cold] = 0
    np.fill_diagonal(similar, 0)
    if n < len(similar):
        least = np.argsort(-similar, axis=1, kind="stable")[:, n:]
        np.put_along_axis(similar, least, 0, axis=1)
    return similar / np.maximum(similar.sum(axis=1, keepdims=True), 1e-12)


class _Network:
    """The parameters and the loss of a batch of users."""

    def __init__(self, model: LambdaBetaRecommender, train, vectors: dict[str, np.ndarray]):
        import torch

        self.model, self.matrix = model, (train.matrix > 0).astype(np.float32)
        self.content = torch.tensor(vectors["content"])
        given = vectors.get("related")
        self.given = None if given is None else torch.tensor(given)
        if given is None:
            self.relation = torch.tensor(related_items(train, vectors["content"], model.neighbours))
        names = [name for name in vectors if name not in ("content", "related")] or ["content"]
        self.views = [torch.tensor(vectors[name]) for name in names]
        if model.diversity != "facets":
            self.views = [torch.nn.functional.normalize(view, dim=1) for view in self.views]
        n_items, size = self.content.shape

        def drawn(*shape, scale):
            return torch.nn.Parameter(torch.randn(*shape) * scale)

        self.text_map, self.history_map = (drawn(size, model.n_factors, scale=size**-0.5) for _ in range(2))
        self.free, self.history = (drawn(n_items, model.n_factors, scale=0.1) for _ in range(2))
        counts = torch.tensor(train.item_counts, dtype=torch.float32)
        logs = torch.log1p(counts)
        self.bias = torch.nn.Parameter(counts / train.n_users if model.loss == "squared" else logs - logs.mean())
        self.log_temperature = torch.nn.Parameter(torch.tensor(float(np.log(model.temperature))))
        self.logits = torch.nn.Parameter(torch.zeros(3))

    def groups(self):
        decayed = [self.text_map, self.history_map, self.free, self.history]
        return decayed, [self.bias, self.log_temperature, self.logits]

    def _all(self):
        decayed, plain = self.groups()
        return decayed + plain

    def average(self, before):
        """(parameters, count) of the running mean; `before` is None or what the last call returned."""
        if before is None:
            return [p.detach().clone() for p in self._all()], 1
        mean, count = before
        for kept, p in zip(mean, self._all(), strict=True):
            kept += (p.detach() - kept) / (count + 1)
        return mean, count + 1

    def load(self, average) -> None:
        for p, kept in zip(self._all(), average[0], strict=True):
            p.data = kept

    def weights(self):
        import torch

        if self.model.user_weight is None:
            return torch.softmax(self.logits, 0)
        w = torch.tensor([1.0, self.model.user_weight, self.model.related_weight])
        return w / w.sum()

    def parts(self):
        from torch.nn.functional import normalize

        text = self.content @ self.text_map
        around = self.given @ self.text_map if self.given is not None else self.relation @ (text + self.free)
        return [normalize(part, dim=1) for part in (text, self.free, around)]

    def users(self, histories):
        from torch.nn.functional import normalize

        return normalize(histories @ (self.history + self.content @ self.history_map), dim=1)

    def scores(self, histories):
        mixed = sum(weight * part for weight, part in zip(self.weights(), self.parts(), strict=True))
        return self.users(histories) @ mixed.T / self.log_temperature.exp() + self.bias

    def batch_loss(self, rows):
        import torch

        whole = torch.tensor(self.matrix[rows.numpy()].toarray())
        shown = whole * (torch.rand_like(whole) > self.model.dropout)
        hidden = whole - shown
        scores = self.scores(shown)
        loss = getattr(self, f"_{self.model.loss}")(scores, hidden, shown)
        if self.model.diversity is not None and self.model.diversity_weight:
            masked = scores.masked_fill(shown > 0, -1e9)
            loss = loss + self.model.diversity_weight * getattr(self, f"_{self.model.diversity}")(masked, hidden)
        return loss

    def _softmax(self, scores, hidden, shown):
        import torch

        log_shares = torch.log_softmax(scores.masked_fill(shown > 0, -1e9), dim=1)
        return -(hidden * log_shares.clamp(min=-1e4)).sum() / hidden.sum().clamp(min=1)

    def _pairwise(self, scores, hidden, shown):
        import torch

        users, items = hidden.nonzero(as_tuple=True)
        others = torch.randint(scores.shape[1], items.shape)
        fair = (hidden + shown)[users, others] == 0
        margin = scores[users, items] - scores[users, others]
        return -(torch.nn.functional.logsigmoid(margin) * fair).sum() / fair.sum().clamp(min=1)

    def _squared(self, scores, hidden, shown):
        weight = (1 + (POSITIVE_WEIGHT - 1) * hidden) * (shown == 0)
        return (weight * (hidden - scores) ** 2).sum() / hidden.sum().clamp(min=1)

    def _dispersion(self, scores, hidden):
        import torch

        from recsys_lib.models.list_losses import dispersion

        shares = torch.softmax(scores, dim=1)
        return sum(dispersion(shares, view).mean() for view in self.views) / len(self.views)

    def _dpp(self, scores, hidden):
        import torch

        from recsys_lib.models.list_losses import kdpp_loss

        enough = hidden.sum(dim=1) >= SET_SIZE
        if not enough.any():
            return scores.sum() * 0
        scores, hidden = scores[enough], hidden[enough]
        noise = torch.rand_like(hidden)
        liked = (noise * hidden).topk(SET_SIZE, dim=1).indices
        others = (noise * (1 - hidden) * (scores > -1e8)).topk(SET_SIZE, dim=1).indices
        ground = torch.cat([liked, others], dim=1)
        kernel = sum((1 + view[ground] @ view[ground].transpose(1, 2)) / 2 for view in self.views) / len(self.views)
        return kdpp_loss(scores.gather(1, ground), kernel + 0.1 * torch.eye(2 * SET_SIZE), SET_SIZE).mean()

    def _facets(self, scores, hidden):
        from recsys_lib.models.list_losses import soft_alpha_dcg

        ground = (scores + 1e6 * hidden).topk(min(DEPTH, scores.shape[1]), dim=1).indices
        near, relevant = scores.gather(1, ground), hidden.gather(1, ground)
        gains = [soft_alpha_dcg(near, relevant, view[ground], temperature=0.2).mean() for view in self.views]
        return -sum(gains) / len(gains)

    def state(self) -> dict:
        import torch

        with torch.no_grad():
            return {
                "users": self.users(torch.tensor(self.matrix.toarray())).numpy(),
                "parts": torch.stack(self.parts()).numpy(),
                "weights": self.weights().numpy(),
                "bias": self.bias.detach().numpy().copy(),
                "temperature": float(self.log_temperature.exp()),
            }
