"""Gated fusion: a network that decides item by item how much each modality counts."""

from __future__ import annotations

import numpy as np

from recsys_lib.fusion.early import block, checked
from recsys_lib.models.base import Recommender


class GatedFusion(Recommender):
    r"""Every item is an attention-weighted sum of its modalities, every user the mean of his items.

    .. math:: h_{im} = P_m x_{im}, \quad g_{im} = \mathrm{softmax}_m(a_m^\top h_{im} + b_m), \quad
              f_i = \sum_m g_{im} h_{im}, \quad s_{ui} = \frac{1}{\tau} f_i^\top A \bar f_u

    The softmax runs over the modalities that the item has. In training each user's history is cut at random in two:
    one half makes the user vector, the other half is to be predicted, by a softmax over all known items. Whole
    modalities are dropped at random, item by item, so that the network learns to do with what is there (modality
    dropout: Neverova et al., TPAMI 2016). Items are only read through their content, so cold items are scored alike.

    Parameters
    ----------
    n_dimensions : int
        Of the shared space.
    modality_dropout : float
        Chance that an item's modality is dropped in a step; one always stays.
    adversarial : float
        Length of the perturbation of the content that training has to withstand, as a share of the content's own
        length (adversarial training of multimedia recommenders, AMR: Tang et al., TKDE 2020, arXiv:1809.07062);
        0 trains plainly, which takes half the time.
    epochs, batch_size, learning_rate, weight_decay, temperature
        Adam on batches of users.
    rng : int, numpy Generator or None

    Attributes
    ----------
    gates_ : (n_items, n_modalities) float32, g; a row sums to 1, or is 0 where an item has nothing
    names_ : the modalities, in the order of the columns of `gates_`
    item_vectors_, user_vectors_ : f and A times the mean of f
    losses_ : the mean loss of each epoch
    """

    def __init__(
        self,
        *,
        n_dimensions: int = 64,
        modality_dropout: float = 0.3,
        adversarial: float = 0.0,
        epochs: int = 20,
        batch_size: int = 256,
        learning_rate: float = 0.001,
        weight_decay: float = 1e-5,
        temperature: float = 0.1,
        rng=0,
    ):
        self.n_dimensions, self.modality_dropout, self.adversarial = n_dimensions, modality_dropout, adversarial
        self.epochs, self.batch_size, self.learning_rate = epochs, batch_size, learning_rate
        self.weight_decay, self.temperature, self.rng = weight_decay, temperature, rng

    def _fit(self, train, item_vectors):
        import torch

        for name in ("n_dimensions", "epochs", "batch_size"):
            if not getattr(self, name) >= 1:
                raise ValueError(f"{name} must be a whole number of at least 1, not {getattr(self, name)}")
        if not (0 <= self.modality_dropout < 1 and self.adversarial >= 0 and self.temperature > 0):
            raise ValueError(
                f"modality_dropout must lie in [0, 1), adversarial must not be negative and temperature be positive, "
                f"but are {self.modality_dropout}, {self.adversarial} and {self.temperature}"
            )
        rng = np.random.default_rng(self.rng)
        self.names_ = list(checked(item_vectors))
        content = [torch.from_numpy(block(item_vectors[name])) for name in self.names_]
        histories = train.matrix.astype(np.float32)
        known = torch.from_numpy(train.item_counts > 0)
        with torch.random.fork_rng():
            torch.manual_seed(int(rng.integers(2**31)))
            self.network_ = _network([values.shape[1] for values in content], self.n_dimensions)
            settings = {"lr": self.learning_rate, "weight_decay": self.weight_decay}
            optimiser = torch.optim.AdamW(self.network_.parameters(), **settings)
            self.losses_ = []
            for _ in range(self.epochs):
                losses = []
                for rows in np.array_split(rng.permutation(train.n_users), -(-train.n_users // self.batch_size)):
                    given, wanted = _halves(histories[rows], rng)
                    loss = self._loss(content, self._dropped(content), given, wanted, known)
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()
                    losses.append(loss.item())
                self.losses_.append(float(np.mean(losses)))
        self._remember(content, histories)

    def _dropped(self, content):
        """(n_items, n_modalities) bool: what the items have, less what is dropped in this step."""
        import torch

        there = _there(content)
        chance = torch.rand(there.shape).masked_fill(~there, -1.0)  # an item with nothing keeps its zeros
        return (chance >= self.modality_dropout) | (chance == chance.max(dim=1, keepdim=True).values)

    def _loss(self, content, there, given, wanted, known):
        import torch

        if not self.adversarial:
            return self._cross_entropy(content, there, given, wanted, known)
        moved = [values.clone().requires_grad_() for values in content]
        plain = self._cross_entropy(moved, there, given, wanted, known)
        slopes = torch.autograd.grad(plain, moved, retain_graph=True)
        worse = [values + step(values, slope, self.adversarial) for values, slope in zip(content, slopes, strict=True)]
        return (plain + self._cross_entropy(worse, there, given, wanted, known)) / 2

    def _cross_entropy(self, content, there, given, wanted, known):
        import torch

        items, _ = self.network_(content, there)
        logits = self.network_.users(given, items) @ items.T / self.temperature
        log_probability = torch.log_softmax(logits.masked_fill(~known | (given > 0), -torch.inf), dim=1)
        return -(wanted * log_probability.masked_fill(wanted == 0, 0)).sum() / wanted.sum().clamp(min=1)

    def _remember(self, content, histories) -> None:
        import torch

        with torch.no_grad():
            items, gates = self.network_(content, _there(content))
            step = range(0, histories.shape[0], 4096)
            blocks = [self.network_.users(_dense(histories[start : start + 4096]), items) for start in step]
        self.item_vectors_, self.gates_, self.user_vectors_ = items.numpy(), gates.numpy(), torch.cat(blocks).numpy()

    def score(self, users):
        return (self.user_vectors_[users] @ self.item_vectors_.T / self.temperature).astype(np.float32)

    def score_of(self, item_vectors) -> np.ndarray:
        """(n_users, n_items) scores of the same users for items with other content, already as `block` makes it."""
        import torch

        content = [torch.from_numpy(np.asarray(item_vectors[name], np.float32)) for name in self.names_]
        with torch.no_grad():
            items, _ = self.network_(content, _there(content))
        return self.user_vectors_ @ items.numpy().T / self.temperature

    def attacked(self, item_vectors, modality: str, items, size: float) -> np.ndarray:
        """One modality's vectors with some items' rows moved so that all users' scores of them rise the fastest.

        Parameters
        ----------
        item_vectors : the dict that the model was fitted on
        modality : str
        items : sequence of item indices
        size : float
            Length of the step, as a share of the row's own length once it is centred and scaled (see `block`).

        Returns
        -------
        (n_items, d) float32, of `block`'s scale; its control is a random step of the same length.
        """
        import torch

        content = [torch.from_numpy(block(item_vectors[name])) for name in self.names_]
        place = self.names_.index(modality)
        content[place].requires_grad_()
        items = torch.as_tensor(np.asarray(items))
        fused, _ = self.network_(content, _there(content))
        mean_user = torch.from_numpy(self.user_vectors_.mean(axis=0))
        (slope,) = torch.autograd.grad((fused[items] @ mean_user).sum(), content[place])
        moved = content[place].detach() + step(content[place].detach(), slope, size)
        return moved.numpy()


def step(values, slope, size: float):
    """Along the slope, row by row, `size` times the row's own length."""
    length = slope.norm(dim=1, keepdim=True).clamp(min=1e-12)
    return (size * values.norm(dim=1, keepdim=True) * slope / length).detach()


def _there(content):
    """(n_items, n_modalities) bool: which modalities each item has."""
    import torch

    return torch.stack([values.any(dim=1) for values in content], dim=1)


def _halves(histories, rng):
    """Each user's history cut at random in two: dense (n, n_items) tensors."""
    side = rng.random(histories.nnz) < 0.5
    given, wanted = histories.copy(), histories.copy()
    given.data, wanted.data = side.astype(np.float32), (~side).astype(np.float32)
    return _dense(given), _dense(wanted)


def _dense(matrix):
    import torch

    return torch.from_numpy(matrix.toarray())


def _network(sizes: list[int], n_dimensions: int):
    """(content, which modalities are there) -> (item vectors, gates); and histories -> user vectors."""
    import torch
    from torch import nn

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.maps = nn.ModuleList(nn.Linear(size, n_dimensions, bias=False) for size in sizes)
            self.gates = nn.ModuleList(nn.Linear(n_dimensions, 1) for _ in sizes)
            self.user_map = nn.Linear(n_dimensions, n_dimensions)
            nn.init.eye_(self.user_map.weight)
            nn.init.zeros_(self.user_map.bias)

        def forward(self, content, there):
            mapped = [each(values) for each, values in zip(self.maps, content, strict=True)]
            votes = torch.cat([gate(values) for gate, values in zip(self.gates, mapped, strict=True)], dim=1)
            # an item with nothing has no votes: its gates are 0 and not 0 / 0
            gates = torch.softmax(votes.masked_fill(~there, -1e9), dim=1) * there
            fused = (gates[:, :, None] * torch.stack(mapped, dim=1)).sum(dim=1)
            return nn.functional.normalize(fused, dim=1), gates

        def users(self, histories, items):
            mean = histories @ items / histories.sum(dim=1, keepdim=True).clamp(min=1)
            return self.user_map(nn.functional.normalize(mean, dim=1))

    return Network()
