"""A training loop that a person can read: tokenised texts in, the best checkpoint and a history out."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import tempfile
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import accuracy_score, f1_score

from recsys_lib import adversarial
from recsys_lib.models.rating import BERTRecommender, transformer_layers
from recsys_lib.tokens import Examples

CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class Settings:
    """How to train. The defaults are the customary ones for BERT (Devlin et al., 2019; Howard & Ruder, 2018).

    Attributes
    ----------
    epochs, batch_size : int
    learning_rate : float
        Of the last transformer layer.
    layer_decay : float
        Each layer below learns at this share of the one above it: the lower, the more general.
    head_learning_rate : float
        The head starts at random and has further to go.
    threshold_learning_rate : float
        Of the ordinal head's thresholds. In a short run they hardly leave the shares of the stars; a larger rate moves
        them further.
    weight_decay : float
        On matrices; not on biases and LayerNorm.
    warm_up : float
        Share of the steps in which the rate rises from 0; it falls linearly to 0 after that.
    clip : float
        Largest norm of the gradient.
    patience : int, optional
        Stop after so many epochs without a better validation MSE. Default: never.
    adversarial : "fgm", "noise" or None
        Train on the mean of the plain loss and the loss after a push of the word embeddings.
    epsilon : float
        Length of that push, as a share of the text's embedding norm.
    seed : int
        Order of the texts and dropout.
    """

    epochs: int = 2
    batch_size: int = 16
    learning_rate: float = 5e-5
    layer_decay: float = 0.95
    head_learning_rate: float = 1e-3
    threshold_learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warm_up: float = 0.1
    clip: float = 1.0
    patience: int | None = None
    adversarial: str | None = None
    epsilon: float = 0.05
    seed: int = 0

    def __post_init__(self):
        if self.adversarial is not None and self.adversarial not in adversarial.KINDS:
            raise ValueError(f"adversarial must be None or one of {adversarial.KINDS}, not {self.adversarial!r}")
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")


def train(
    model: BERTRecommender,
    examples: Examples,
    validation: Examples,
    settings: Settings = Settings(),
    *,
    folder=None,
    checkpoint_every: int = 200,
    log_dir=None,
    device: str | None = None,
    progress=None,
) -> pd.DataFrame:
    """Train `model` in place and leave it with the weights of its best epoch.

    The head's biases start at the shares of the labels, so that the first loss is that of the average rating.

    Parameters
    ----------
    examples, validation : Examples
        The best epoch is the one with the lowest validation MSE of the expected rating.
    folder : path, optional
        Where a checkpoint is written after every epoch and every `checkpoint_every` steps. If it holds one of the
        same model, data and settings, training goes on from there, and ends with the same weights as a training
        that was never interrupted. Default: none.
    log_dir : path, optional
        TensorBoard logs go there (`tensorboard --logdir`). Default: none.
    device : str, optional
        "cuda" where there is one, with mixed precision; else "cpu". The model stays there.
    progress : callable, optional
        Wraps each epoch's list of batches, for instance `notebook.progress`.

    Returns
    -------
    DataFrame, one row an epoch: `epoch`, `loss` (mean over the texts), `validation_mse`, `validation_macro_f1`,
    `validation_accuracy`; `.attrs["losses"]` holds the loss of every step.
    """
    if examples.labels is None or validation.labels is None:
        raise ValueError("training takes ratings: tokenise(tokenizer, texts, ratings)")
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device)  # before the optimiser sees the parameters
    run = _Run(model, examples, validation, settings, device)
    with torch.random.fork_rng(), _writer(log_dir) as writer:
        torch.manual_seed(settings.seed)
        model.start_at_prior(examples.labels)
        run.resume(folder)
        while run.epoch < settings.epochs and not run.stopped():
            order = np.random.default_rng([settings.seed, run.epoch])
            batches = list(examples.batches(settings.batch_size, order))[run.step :]
            model.train()
            for rows in progress(batches) if progress else batches:
                loss = run.learn(rows)
                if writer:
                    writer.add_scalar("loss", loss, len(run.losses))
                    writer.add_scalar("learning rate", run.schedule.get_last_lr()[-1], len(run.losses))
                if folder and run.step % checkpoint_every == 0:
                    run.save(folder)
            figures = run.finish_epoch()
            if writer:
                for name in ("mse", "macro_f1", "accuracy"):
                    writer.add_scalar(f"validation {name}", figures[f"validation_{name}"], len(run.losses))
            if folder:
                run.save(folder)
    run.restore_best()
    history = pd.DataFrame(run.history)
    history.attrs["losses"] = list(run.losses)
    return history


class _Run:
    """The state of one training: what a checkpoint must hold, and the three things that change it."""

    def __init__(self, model, examples, validation, settings, device):
        self.model, self.examples, self.validation = model, examples, validation
        self.settings, self.device = settings, device
        self.parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.optimiser = torch.optim.AdamW(parameter_groups(model, settings))
        steps = settings.epochs * -(-len(examples) // settings.batch_size)
        warm = max(1, round(settings.warm_up * steps))
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimiser, lambda step: min((step + 1) / warm, max(0.0, (steps - step) / max(1, steps - warm)))
        )
        kind = torch.device(device).type
        self.on_gpu = kind == "cuda"
        half = _half() if self.on_gpu else torch.bfloat16
        self.precision = lambda: torch.autocast(kind, half, enabled=self.on_gpu)
        self.scaler = torch.amp.GradScaler(kind, enabled=half == torch.float16)
        self.epoch = self.step = 0
        self.losses, self.sizes, self.history, self.best = [], [], [], None

    def learn(self, rows) -> float:
        """One step on one batch; returns its loss before the step."""
        self.optimiser.zero_grad(set_to_none=True)
        loss = self._backward(self.examples.batch(rows, self.device))
        if not math.isfinite(loss):
            raise ValueError(f"the loss is {loss} in step {len(self.losses) + 1}. Lower the learning rates")
        self.scaler.unscale_(self.optimiser)
        torch.nn.utils.clip_grad_norm_(self.parameters.values(), self.settings.clip)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.schedule.step()
        self.step += 1
        self.losses.append(loss)
        self.sizes.append(len(rows))
        return loss

    def _backward(self, batch) -> float:
        """Gradients of the loss; with adversarial training, of the mean of the plain and the pushed loss."""
        if self.settings.adversarial is None:
            loss = self._forward(**batch)
            self.scaler.scale(loss).backward()
            return loss.item()
        rest = {name: value for name, value in batch.items() if name != "input_ids"}
        embeddings = adversarial.word_embeddings(self.model, batch["input_ids"])
        embeddings.retain_grad()
        loss = self._forward(inputs_embeds=embeddings, **rest)
        self.scaler.scale(loss / 2).backward()
        gradient = embeddings.grad if self.settings.adversarial == "fgm" else None
        push = adversarial.perturbation(embeddings, batch["attention_mask"], gradient, self.settings.epsilon)
        fresh = adversarial.word_embeddings(self.model, batch["input_ids"])
        self.scaler.scale(self._forward(inputs_embeds=fresh + push, **rest) / 2).backward()
        return loss.item()

    def _forward(self, **batch):
        with self.precision():
            return self.model(**batch).loss

    def finish_epoch(self) -> dict:
        figures = evaluate(self.model, self.validation, device=self.device)
        weights = self.sizes[-self.step :]  # the last batch is shorter: it weighs less
        row = {"epoch": self.epoch + 1, "loss": float(np.average(self.losses[-self.step :], weights=weights))}
        row.update({f"validation_{name}": value for name, value in figures.items()})
        if self.best is None or row["validation_mse"] < min(past["validation_mse"] for past in self.history):
            self.best = {name: p.detach().cpu().clone() for name, p in self.parameters.items()}
        self.history.append(row)
        self.epoch, self.step = self.epoch + 1, 0
        return row

    def stopped(self) -> bool:
        if self.settings.patience is None or not self.history:
            return False
        errors = [row["validation_mse"] for row in self.history]
        return len(errors) - 1 - int(np.argmin(errors)) >= self.settings.patience

    def restore_best(self) -> None:
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(self.best[name])
        self.model.eval()

    @cached_property
    def identity(self) -> str:
        """What a checkpoint belongs to: settings, data, structure, what is frozen, and shapes of what is trained."""
        digest = hashlib.sha256(json.dumps(asdict(self.settings)).encode())
        for part in (self.examples, self.validation):
            digest.update(json.dumps([part.token_ids, part.labels.tolist()]).encode())
            digest.update(b"" if part.users is None else part.users.tobytes())
        digest.update(json.dumps([[name, list(p.shape)] for name, p in self.parameters.items()]).encode())
        scaling = [repr(getattr(module, "scaling", None)) for module in self.model.modules()]  # LoRA's alpha / rank
        digest.update(json.dumps([repr(self.model), scaling]).encode())
        for name, p in self.model.named_parameters():
            if not p.requires_grad:
                digest.update(json.dumps([name, list(p.shape), str(p.dtype)]).encode())
                digest.update(p.detach().cpu().flatten().view(torch.uint8).numpy())
        return digest.hexdigest()

    def save(self, folder) -> None:
        state = {
            "identity": self.identity,
            "parameters": {name: p.detach() for name, p in self.parameters.items()},
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all() if self.on_gpu else [],
            "counters": [self.epoch, self.step],
            "losses": self.losses,
            "sizes": self.sizes,
            "history": self.history,
            "best": self.best,
        }
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as file:
            torch.save(state, file)
        os.replace(file.name, Path(folder) / CHECKPOINT)  # in one step: never half a checkpoint

    def resume(self, folder) -> None:
        path = Path(folder) / CHECKPOINT if folder else None
        if path is None or not path.is_file():
            return
        state = torch.load(path, map_location="cpu", weights_only=True)  # AdamW counts its steps there
        if state["identity"] != self.identity:
            raise ValueError(
                f"the checkpoint in {Path(folder).name!r} belongs to other data, settings or model. "
                f"Delete it, or choose another folder"
            )
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(state["parameters"][name])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.scaler.load_state_dict(state["scaler"])
        torch.set_rng_state(state["random"])
        if self.on_gpu:
            torch.cuda.set_rng_state_all(state["random_cuda"])
        self.epoch, self.step = state["counters"]
        self.losses, self.sizes, self.history = state["losses"], state["sizes"], state["history"]
        self.best = state["best"]


def _half() -> torch.dtype:
    """bfloat16 where the GPU computes in it (compute capability 8 and later).

    Others, Colab's T4 among them, say that they support it and emulate it slowly: they get float16.
    """
    return torch.bfloat16 if torch.cuda.get_device_capability() >= (8, 0) else torch.float16


def parameter_groups(model: BERTRecommender, settings: Settings) -> list[dict]:
    """Groups for AdamW: a rate for each layer, for the head and for the ordinal head's thresholds.

    Vectors (biases, LayerNorm, thresholds) have no weight decay.
    """
    layers = transformer_layers(model.encoder)
    depth = {}  # parameter -> how many layers lie above it; what is below all layers (embeddings) comes last
    for place, layer in enumerate(layers):
        depth.update({id(p): len(layers) - 1 - place for p in layer.parameters()})
    inside = {id(p) for p in model.encoder.parameters()}
    groups: dict[tuple, dict] = {}
    for p in model.parameters():
        if not p.requires_grad:
            continue
        rate = settings.threshold_learning_rate if p is model.thresholds else settings.head_learning_rate
        if id(p) in inside:
            rate = settings.learning_rate * settings.layer_decay ** depth.get(id(p), len(layers))
        decay = settings.weight_decay if p.ndim > 1 else 0.0
        groups.setdefault((rate, decay), {"params": [], "lr": rate, "weight_decay": decay})["params"].append(p)
    return list(groups.values())


def predict(model: BERTRecommender, examples: Examples, *, batch_size: int = 64, device=None, attack=0.0) -> np.ndarray:
    """Logits (n, n_outputs) float32 in the order of the examples, without dropout and gradients.

    attack : float
        Push the word embeddings against the labels by FGM of this length first (`adversarial.attacked`).
    """
    device = device or next(model.parameters()).device
    model.eval()
    rows_of, logits_of = [], []
    with torch.no_grad():
        for rows in examples.batches(batch_size):
            batch = examples.batch(rows, device)
            logits = adversarial.attacked(model, batch, attack) if attack else model(**batch).logits
            rows_of.append(rows)
            logits_of.append(logits.float().cpu().numpy())
    return np.concatenate(logits_of)[np.argsort(np.concatenate(rows_of))]


def evaluate(model: BERTRecommender, examples: Examples, *, device=None, attack=0.0) -> dict[str, float]:
    """`mse` of the expected rating, `macro_f1` and `accuracy` of the predicted stars, over all examples."""
    logits = predict(model, examples, device=device, attack=attack)
    return rating_figures(examples.stars, model.expected_rating(logits), model.predicted_stars(logits))


def rating_figures(stars, expected, predicted) -> dict[str, float]:
    """The figures of any predictor of stars: true stars, expected ratings and whole predicted stars, all (n,)."""
    return {
        "mse": float(np.mean((np.asarray(expected, float) - stars) ** 2)),
        "macro_f1": float(f1_score(stars, predicted, average="macro", labels=np.unique(stars), zero_division=0)),
        "accuracy": float(accuracy_score(stars, predicted)),
    }


@contextlib.contextmanager
def _writer(log_dir):
    if log_dir is None:
        yield None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ImportError("TensorBoard logs need tensorboard: pip install 'recsys-lib[training]'") from error
    with SummaryWriter(log_dir=str(log_dir)) as writer:
        yield writer
