"""MultVAE: a variational autoencoder of histories with a multinomial likelihood."""

from __future__ import annotations

import numpy as np

from recsys_lib.models.base import Recommender


class MultVAE(Recommender):
    r"""Encode a history into a Gaussian over z, decode z into a distribution over all items (Liang et al., WWW 2018).

    .. math:: \max\; E_{q(z|x)} \sum_{i} x_i \log \mathrm{softmax}(f(z))_i - \gamma\, KL(q(z|x) \,\|\, N(0, I))

    Encoder and decoder have one hidden tanh layer each; the input is scaled to length 1 and dropped out. gamma (the
    paper's beta) rises linearly from 0 to `kl_weight` over the epochs (section 2.2.2). A score is f at the mean of q.

    Parameters
    ----------
    n_factors : int
        Width of z.
    n_hidden : int
    kl_weight : float
        gamma at the end of training, at most 1.
    dropout : float
        Share of the history that is hidden from the encoder.
    epochs, batch_size, learning_rate, weight_decay : of Adam; a batch is so many users
    rng : int, numpy Generator or None

    Attributes
    ----------
    losses_ : list of float
        Mean loss of each epoch.
    """

    def __init__(
        self,
        *,
        n_factors: int = 32,
        n_hidden: int = 300,
        kl_weight: float = 0.5,
        dropout: float = 0.5,
        epochs: int = 60,
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        rng=0,
    ):
        self.n_factors, self.n_hidden, self.kl_weight, self.dropout = n_factors, n_hidden, kl_weight, dropout
        self.epochs, self.batch_size, self.learning_rate = epochs, batch_size, learning_rate
        self.weight_decay, self.rng = weight_decay, rng

    def _fit(self, train, item_vectors):
        import torch  # takes seconds: whoever only imports the models does not wait for it

        for name in ("n_factors", "n_hidden", "epochs", "batch_size"):
            if not getattr(self, name) >= 1:
                raise ValueError(f"{name} must be a whole number of at least 1, not {getattr(self, name)}")
        if not (0 <= self.dropout < 1 and 0 <= self.kl_weight and self.learning_rate > 0 and self.weight_decay >= 0):
            raise ValueError(
                f"dropout must lie in [0, 1), kl_weight and weight_decay must not be negative and learning_rate must "
                f"be positive, but are {self.dropout}, {self.kl_weight}, {self.weight_decay} and {self.learning_rate}"
            )
        rng = np.random.default_rng(self.rng)
        histories = torch.from_numpy((train.matrix > 0).astype(np.float32).toarray())
        inputs = torch.nn.functional.normalize(histories, dim=1)
        with torch.random.fork_rng():
            torch.manual_seed(int(rng.integers(2**31)))
            encoder, decoder = self._networks(torch.nn, train.n_items)
            parameters = [*encoder.parameters(), *decoder.parameters()]
            optimiser = torch.optim.Adam(parameters, lr=self.learning_rate, weight_decay=self.weight_decay)
            self.losses_ = []
            for epoch in range(self.epochs):
                gamma = self.kl_weight * (epoch + 1) / self.epochs
                losses = []
                for rows in torch.randperm(train.n_users).split(self.batch_size):
                    hidden = torch.nn.functional.dropout(inputs[rows], self.dropout)
                    mean, log_variance = encoder(hidden).chunk(2, dim=1)
                    z = mean + torch.randn_like(mean) * torch.exp(log_variance / 2)
                    likelihood = (histories[rows] * torch.log_softmax(decoder(z), dim=1)).sum(dim=1)
                    divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=1)
                    loss = (gamma * divergence - likelihood).mean()
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()
                    losses.append(loss.item())
                self.losses_.append(float(np.mean(losses)))
            with torch.no_grad():
                means = encoder(inputs)[:, : self.n_factors]
                self._hidden = decoder[:2](means).numpy().astype(np.float64)
                last = decoder[2]
                self._weight, self._bias = last.weight.numpy().astype(np.float64), last.bias.numpy()

    def _networks(self, nn, n_items: int):
        encoder = nn.Sequential(
            nn.Linear(n_items, self.n_hidden), nn.Tanh(), nn.Linear(self.n_hidden, 2 * self.n_factors)
        )
        decoder = nn.Sequential(nn.Linear(self.n_factors, self.n_hidden), nn.Tanh(), nn.Linear(self.n_hidden, n_items))
        for layer in (encoder[0], encoder[2], decoder[0], decoder[2]):
            nn.init.xavier_normal_(layer.weight)
            nn.init.trunc_normal_(layer.bias, std=0.001)
        return encoder, decoder

    def score(self, users):
        return (self._hidden[users] @ self._weight.T + self._bias).astype(np.float32)
