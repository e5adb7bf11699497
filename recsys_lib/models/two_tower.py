"""TwoTower: a text encoder fine-tuned as item tower, users as pooled histories, trained with an in-batch softmax."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from recsys_lib.encoders.inputs import check_texts
from recsys_lib.encoders.text import PACKAGED
from recsys_lib.models.base import Recommender

ENCODE_BLOCK, MAX_LENGTH = 32, 128  # texts, tokens


class TwoTower(Recommender):
    r"""Item tower f(text) and user tower A·(mean of f over the history) + b, trained together by a sampled softmax.

    .. math:: s_{ui} = f(t_i)^\top (A \bar f_u + b) / \tau, \quad
              L = -\sum_{(u, i)} \log \frac{e^{s_{ui} - \log q_i}}{\sum_{j \in batch} e^{s_{uj} - \log q_j}}

    The items of a batch are drawn with probability q, their share of the interactions, and serve as each other's
    negatives. Popular items therefore stand there too often; subtracting log q undoes it (Yi et al., RecSys 2019,
    "Sampling-bias-corrected neural modeling", section 3), so that s estimates log p(i | u) over the whole catalogue.
    A column that the row's user has had as well is no negative and is masked. The positive is left out of its
    own user's history. A starts as the identity and b as 0: before the first step the score is a cosine profile.

    Cold columns are scored like all others, from their texts. With a frozen tower the score has the form of
    `LinearTextMap`, and only the loss differs.

    Parameters
    ----------
    item_texts : sequence of str
        One a column of the training matrix; '' where there is none.
    name_or_path : str
        The packaged MiniLM, or a folder or Hugging Face id.
    trainable_layers : int
        How many of the last transformer layers are fine-tuned; 0 freezes the tower and leaves A and b to learn.
        The word embeddings stay as they are.
    epochs : int
        One epoch shows as many (user, item) pairs as there are interactions.
    batch_size : int
        Items in a batch, drawn with replacement: what a step costs.
    users_per_item : int
        Users drawn for each of those items: more rows of the softmax, which cost next to nothing.
    learning_rate, map_learning_rate : float
        Of the tower, and of A and b (AdamW, constant).
    temperature : float
    log_q : bool
        False leaves the correction out: s then estimates log p(i | u) / p(i), and popularity is lost.
    after_epoch : callable, optional
        Called with the model after each epoch, when `score` works: for curves and for choosing `epochs`.
    rng : int, Generator or None

    Attributes
    ----------
    item_vectors_ : (n_items, d) float32, the fine-tuned unit vectors f.
    user_vectors_ : (n_users, d) float32, A·(mean of f) + b.
    losses_ : the mean loss of each epoch.
    n_trainable_ : number of trained parameters.
    """

    def __init__(
        self,
        item_texts,
        *,
        name_or_path: str = PACKAGED,
        trainable_layers: int = 2,
        epochs: int = 6,
        batch_size: int = 64,
        users_per_item: int = 32,
        learning_rate: float = 5e-5,
        map_learning_rate: float = 3e-4,
        temperature: float = 0.05,
        log_q: bool = True,
        after_epoch: Callable | None = None,
        rng=0,
    ):
        self.item_texts, self.name_or_path, self.trainable_layers = item_texts, name_or_path, trainable_layers
        self.epochs, self.batch_size, self.users_per_item = epochs, batch_size, users_per_item
        self.learning_rate, self.map_learning_rate = learning_rate, map_learning_rate
        self.temperature, self.log_q, self.after_epoch, self.rng = temperature, log_q, after_epoch, rng

    def _fit(self, train, item_vectors):
        import torch  # takes seconds: whoever only imports the models does not wait for it

        texts = self._checked_texts(train.n_items)
        rng = np.random.default_rng(self.rng)
        with torch.random.fork_rng():  # dropout draws from torch's own generator: seeded here, given back after
            torch.manual_seed(int(rng.integers(2**31)))
            tower = _ItemTower(self.name_or_path, self.trainable_layers, texts)
            user_map = torch.nn.Linear(tower.size, tower.size)
            torch.nn.init.eye_(user_map.weight)
            torch.nn.init.zeros_(user_map.bias)
            self._train(_Pairs(train), tower, user_map, rng)

    def _train(self, pairs, tower, user_map, rng) -> None:
        import torch

        groups = [{"params": list(user_map.parameters()), "lr": self.map_learning_rate}]
        if tower.trainable:
            groups.append({"params": tower.trainable, "lr": self.learning_rate})
        parameters = [value for group in groups for value in group["params"]]
        self.n_trainable_ = sum(value.numel() for value in parameters)
        optimiser = torch.optim.AdamW(groups)
        table = tower.encode_all()
        steps = -(-pairs.matrix.nnz // (self.batch_size * self.users_per_item))
        self.losses_ = []
        for _ in range(self.epochs):
            losses = []
            for _ in range(steps):
                loss = self._loss(pairs.draw(self.batch_size, self.users_per_item, rng), pairs, tower, user_map, table)
                optimiser.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(parameters, 1.0)
                optimiser.step()
                losses.append(loss.item())
            if tower.trainable:
                table = tower.encode_all()
            self.losses_.append(float(np.mean(losses)))
            with torch.no_grad():
                self.user_vectors_ = user_map(torch.from_numpy(pairs.profiles(table.numpy()))).numpy()
            self.item_vectors_ = table.numpy().copy()
            if self.after_epoch:
                self.after_epoch(self)

    def _loss(self, drawn, pairs, tower, user_map, table):
        """The in-batch softmax of one batch: a row is a (user, positive) pair, a column one of the drawn items."""
        import torch

        items, users = drawn  # (n,) and (n, users_per_item)
        column = np.repeat(np.arange(len(items)), users.shape[1])
        users, positives = users.ravel(), items[column]
        unique, place = np.unique(items, return_inverse=True)
        encoded = tower.encode(unique, train=True) if tower.trainable else table[unique]
        table[unique] = encoded.detach()  # histories read this table: its rows are renewed whenever they pass by
        profiles = user_map(torch.from_numpy(pairs.profiles(table.numpy(), users, without=positives)))

        logits = profiles @ encoded[place].T / self.temperature
        if self.log_q:
            logits = logits - torch.from_numpy(np.log(pairs.share[items]))
        known = pairs.matrix[users][:, items].toarray() > 0
        known[np.arange(len(column)), column] = False
        logits = logits.masked_fill(torch.from_numpy(known), -torch.inf)
        return torch.nn.functional.cross_entropy(logits, torch.from_numpy(column))

    def score(self, users):
        return (self.user_vectors_[users] @ self.item_vectors_.T / self.temperature).astype(np.float32)

    def _checked_texts(self, n_items: int) -> list[str]:
        texts = check_texts(self.item_texts)
        if len(texts) != n_items:
            raise ValueError(f"there are {len(texts)} item_texts, but {n_items} items: pass one text a column")
        for name, least in (("epochs", 1), ("batch_size", 2), ("users_per_item", 1)):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or value < least:
                raise ValueError(f"{name} must be a whole number of at least {least}, not {value!r}")
        if not self.temperature > 0:
            raise ValueError(f"temperature must be positive, not {self.temperature}")
        return texts


class _Pairs:
    """The training matrix, ready for drawing (item, user) pairs and for pooling histories."""

    def __init__(self, train):
        self.matrix = (train.matrix > 0).astype(np.float32)
        self.by_item = self.matrix.tocsc()
        self.counts = np.diff(self.by_item.indptr)
        self.share = (self.counts / self.matrix.nnz).astype(np.float32)  # q

    def draw(self, n_items: int, n_users: int, rng) -> tuple[np.ndarray, np.ndarray]:
        """Items (n_items,) with probability q, and for each of them users (n_items, n_users) out of its audience."""
        items = self.matrix.indices[rng.integers(self.matrix.nnz, size=n_items)]  # the item of a uniform interaction
        places = rng.random((n_items, n_users)) * self.counts[items][:, None]
        return items, self.by_item.indices[self.by_item.indptr[items][:, None] + places.astype(int)]

    def profiles(self, table, users=slice(None), without=None) -> np.ndarray:
        """Mean rows of `table` over each user's history, (len(users), d); of nothing it is 0."""
        history = self.matrix[users]
        total, length = history @ table, np.diff(history.indptr)
        if without is not None:
            total, length = total - table[without], length - 1
        return total / np.maximum(length, 1)[:, None].astype(np.float32)


class _ItemTower:
    """Texts of all items, tokenised once, and the encoder whose last layers are trained."""

    def __init__(self, name_or_path: str, trainable_layers: int, texts: list[str]):
        import torch

        from recsys_lib.models.rating import freeze, load_encoder, load_tokenizer

        self.tokenizer, self.model = load_tokenizer(name_or_path), load_encoder(name_or_path)
        freeze(self.model, trainable_layers)
        self.model.to("cuda" if torch.cuda.is_available() else "cpu")
        self.size = self.model.config.hidden_size
        self.trainable = [value for value in self.model.parameters() if value.requires_grad]
        self.tokens = self.tokenizer(texts, truncation=True, max_length=MAX_LENGTH)["input_ids"]
        self.lengths = np.array([len(tokens) for tokens in self.tokens])

    def encode(self, rows, *, train: bool):
        """Unit vectors (len(rows), d) of the items `rows`: the mean over real tokens, with gradient."""
        import torch

        self.model.train(train)
        order = np.argsort(self.lengths[rows], kind="stable")  # texts of a length share a block: less padding
        pooled = []
        for start in range(0, len(rows), ENCODE_BLOCK):
            block = rows[order[start : start + ENCODE_BLOCK]]
            tokens = self.tokenizer.pad({"input_ids": [self.tokens[row] for row in block]}, return_tensors="pt")
            tokens = tokens.to(self.model.device)
            states = self.model(**tokens).last_hidden_state
            mask = tokens["attention_mask"].unsqueeze(-1)
            pooled.append((states * mask).sum(1) / mask.sum(1))
        vectors = torch.nn.functional.normalize(torch.cat(pooled), dim=1).cpu()  # what follows is small
        return vectors[torch.from_numpy(np.argsort(order))]

    def encode_all(self):
        """(n_items, d) without gradient and dropout."""
        import torch

        with torch.no_grad():
            return self.encode(np.arange(len(self.tokens)), train=False)
