"""fine-tuning: what each step buys when MiniLM learns to read stars out of clothing reviews (notebook 04).

2,000 training, 500 validation and 2,000 test reviews, one draw for all rows. A seed is the head's first weights, the
order of the texts and the dropout. Rows that hold no chance stand under "fixed"; "mean" averages three seeds.
Baselines choose their one penalty from five values on the validation part. "TF-IDF" reads whole reviews; "TF-IDF, cut"
reads what the encoder reads, the text of the first MAX_LENGTH tokens. The networks are not tuned one by one:
all take 1e-4, the better of two learning rates (the other was 2e-4) for "all layers, CE" with seed 0 on the
validation part, and LoRA, whose few new parameters need a larger one, a customary 1e-3. The ordinal head's thresholds
keep the head's rate, the best of three by the same rule; the rows of the other two are stored, with seed 0. If the
comparison leans to anyone, it leans to the baselines.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from functools import lru_cache

import numpy as np
import pandas as pd
import torch
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, logit, softmax
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from recsys_lib import assets, datasets
from recsys_lib.encoders import TextEncoder
from recsys_lib.evaluation.intervals import percentiles, resamples
from recsys_lib.models.rating import BERTRecommender, add_lora, load_tokenizer
from recsys_lib.results import Experiment, source_hash
from recsys_lib.tokens import Examples, tokenise
from recsys_lib.training import Settings, evaluate, predict, rating_figures, train

N_TRAIN, N_VALIDATION, N_TEST, MAX_LENGTH = 2000, 500, 2000, 96
N_LIVE, LIVE_LENGTH = (400, 200, 1000), 64  # the row that notebook 04 computes in front of the reader
EPSILON, N_ATTACKED = 0.05, 500
SEEDS = (0, 1, 2)
SOURCES = ("models/rating.py", "tokens.py", "training.py", "adversarial.py")

REFERENCE, PLAIN, LIVE = "TF-IDF + logistic", "all layers, CE", "all layers, CE, 400 reviews"
FGM, NOISE = "all layers, CE, FGM", "all layers, CE, noise"
PENALTIES = {
    REFERENCE: np.geomspace(0.01, 100, 5),
    "TF-IDF + ridge": np.geomspace(0.01, 100, 5),
    "TF-IDF, cut + logistic": np.geomspace(0.01, 100, 5),
    "TF-IDF, cut + ridge": np.geomspace(0.01, 100, 5),
    "frozen + logistic": np.geomspace(1, 10_000, 5),
    "frozen + ridge": np.geomspace(1, 10_000, 5),
}
FIXED = ("majority", "mean", *PENALTIES)
COUNTED = {f"frozen + {model}": f"TF-IDF, cut + {model}" for model in ("logistic", "ridge")}  # same texts, same form
CE = Settings(epochs=2, learning_rate=1e-4, epsilon=EPSILON)
ORDINAL = "all layers, ordinal"
THRESHOLDS = {f"{ORDINAL}, thresholds at {rate}": rate for rate in (0.01, 0.03)}  # tried, and not chosen
# name -> (how the model is built, how it is trained)
NETWORKS = {
    PLAIN: ({}, CE),
    "last 2 layers, CE": ({"trainable_layers": 2}, CE),
    "all layers, MSE": ({"head": "regression"}, CE),
    ORDINAL: ({"head": "ordinal"}, CE),
    FGM: ({}, dataclasses.replace(CE, adversarial="fgm")),
    NOISE: ({}, dataclasses.replace(CE, adversarial="noise")),
    "LoRA, CE": ({"lora": True}, dataclasses.replace(CE, learning_rate=1e-3, layer_decay=1.0)),
}


def draw(reviews: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The fixed draw: frames "train", "validation" and "test"."""
    order = np.random.default_rng(0).permutation(len(reviews))
    ends = np.cumsum([N_TRAIN, N_VALIDATION, N_TEST])
    return {
        name: reviews.iloc[rows]
        for name, rows in zip(("train", "validation", "test"), np.split(order, ends), strict=False)
    }


@lru_cache(maxsize=1)
def parts() -> dict[str, pd.DataFrame]:
    return draw(datasets.reviews("womens-clothing"))


@lru_cache(maxsize=8)
def examples(part: str, max_length: int = MAX_LENGTH):
    frame = parts()[part]
    return tokenise(load_tokenizer(), frame["text"], frame["rating"], max_length=max_length)


def build(name: str, seed: int) -> tuple[BERTRecommender, Settings]:
    options, settings = NETWORKS[{LIVE: PLAIN, **dict.fromkeys(THRESHOLDS, ORDINAL)}.get(name, name)]
    if name in THRESHOLDS:
        settings = dataclasses.replace(settings, threshold_learning_rate=THRESHOLDS[name])
    options = dict(options)
    lora = options.pop("lora", False)
    model = BERTRecommender(**options, rng=seed)
    return add_lora(model, rng=seed) if lora else model, dataclasses.replace(settings, seed=seed)


def network(name: str, seed: int, progress=None) -> tuple[BERTRecommender, pd.DataFrame]:
    """Build and train one network of the table; the trained model and its history."""
    model, settings = build(name, seed)
    training, validation, _ = inputs(name)
    return model, train(model, training, validation, settings, progress=progress)


def inputs(name: str) -> tuple[Examples, Examples, Examples]:
    """Training, validation and test examples of a network; the live row takes the first few of each."""
    length = LIVE_LENGTH if name == LIVE else MAX_LENGTH
    found = [examples(part, length) for part in ("train", "validation", "test")]
    return tuple(first(each, n) for each, n in zip(found, N_LIVE, strict=True)) if name == LIVE else tuple(found)


def baseline(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, str]:
    """A row without chance: expected ratings, whole stars, P(1 … 5 stars) if it has them, and the chosen penalty."""
    stars = parts()["train"]["rating"].to_numpy()
    n_test = len(parts()["test"])
    if name == "majority":
        most = np.bincount(stars).argmax()
        return np.full(n_test, float(most)), np.full(n_test, most), None, ""
    if name == "mean":
        return np.full(n_test, stars.mean()), np.full(n_test, round(stars.mean())), None, ""
    features = {part: _features(name.split(" + ")[0], part) for part in ("train", "validation", "test")}
    trials = []
    for penalty in PENALTIES[name]:
        if "logistic" in name:
            model = LogisticRegression(C=1 / penalty, max_iter=2000)
        else:
            model = Ridge(alpha=penalty)
        if "frozen" in name:
            model = make_pipeline(StandardScaler(), model)
        model.fit(features["train"], stars)
        expected, *_ = _stars(model, features["validation"])
        trials.append((np.mean((expected - parts()["validation"]["rating"]) ** 2), penalty, model))
    _, penalty, model = min(trials, key=lambda trial: trial[:2])
    return *_stars(model, features["test"]), json.dumps({"penalty": round(float(penalty), 6)})


@lru_cache(maxsize=8)
def _features(kind: str, part: str):
    if kind == "frozen":
        return TextEncoder(max_length=MAX_LENGTH).encode(parts()[part]["text"])
    cut = kind == "TF-IDF, cut"
    return _tfidf(cut).transform(_texts(part, cut))


@lru_cache(maxsize=2)
def _tfidf(cut: bool):
    return TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True).fit(_texts("train", cut))


def _texts(part: str, cut: bool) -> list[str]:
    """The reviews of a part; with `cut`, only as much of each as MAX_LENGTH tokens cover."""
    texts = list(parts()[part]["text"])
    if not cut:
        return texts
    read = load_tokenizer()(texts, truncation=True, max_length=MAX_LENGTH, return_offsets_mapping=True)
    return [text[: max(end for _, end in of)] for text, of in zip(texts, read["offset_mapping"], strict=True)]


def _stars(model, features):
    if hasattr(model, "predict_proba"):
        shares = model.predict_proba(features)
        return shares @ model.classes_, model.classes_[shares.argmax(axis=1)], shares
    expected = np.clip(model.predict(features), 1, 5)
    return expected, np.rint(expected).astype(int), None


def predictions(name: str, run: str) -> dict[str, np.ndarray]:
    """What a row predicts for the test reviews, with its costs; kept in the cache folder, not in the repository."""
    key = hashlib.sha256(json.dumps([name, run, source_hash(SOURCES), torch.__version__]).encode()).hexdigest()[:24]
    path = assets.cache_folder() / "fine-tuning" / f"{key}.npz"
    if not path.is_file():
        found = _baseline_row(name) if run == "fixed" else _network_row(name, int(run.split()[1]))
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **found)
    with np.load(path, allow_pickle=False) as kept:
        return {field: kept[field] for field in kept.files}


def _baseline_row(name: str) -> dict:
    started = time.perf_counter()
    expected, stars, shares, parameters = baseline(name)
    row = {"expected": expected, "stars": stars, "parameters": parameters, "n_trainable": 0}
    row["fit_seconds"] = time.perf_counter() - started
    return row if shares is None else {**row, "shares": shares}


def _network_row(name: str, seed: int) -> dict:
    started = time.perf_counter()
    model, history = network(name, seed)
    seconds = time.perf_counter() - started
    test = inputs(name)[2]
    logits = predict(model, test)
    row = {
        "expected": model.expected_rating(logits),
        "stars": model.predicted_stars(logits),
        "n_trainable": model.n_trainable,
        "first_loss": np.mean(history.attrs["losses"][:10]),
        "last_loss": np.mean(history.attrs["losses"][-10:]),
        "validation_mse": history["validation_mse"].min(),
        "fit_seconds": seconds,
    }
    if model.head != "regression":
        row["shares"] = model.probabilities(logits)
    if name != LIVE:
        row["mse_attacked"] = evaluate(model, first(test, N_ATTACKED), attack=EPSILON)["mse"]
    return row


def first(given: Examples, n: int) -> Examples:
    """The first n examples."""
    return dataclasses.replace(given, token_ids=given.token_ids[:n], labels=given.labels[:n])


def compute(unit, rows):
    name, run = unit["model"], unit["run"]
    runs = [f"seed {seed}" for seed in SEEDS] if run == "mean" else [run]
    found = [predictions(name, each) for each in runs]
    n_test = len(found[0]["expected"])
    stars = parts()["test"]["rating"].to_numpy()[:n_test]
    row = dict(pd.DataFrame([rating_figures(stars, each["expected"], each["stars"]) for each in found]).mean())
    row["n_test"] = n_test
    row |= _paired(stars, found, [predictions(REFERENCE, "fixed")], "reference")
    if run != "fixed":
        row |= _paired(stars, found, [predictions(PLAIN, each) for each in runs], "plain")
    if name in COUNTED:
        row |= _paired(stars, found, [predictions(COUNTED[name], "fixed")], "counted")
    if name == FGM:
        row |= _paired(stars, found, [predictions(NOISE, each) for each in runs], "noise")
    for cost in ("n_trainable", "first_loss", "last_loss", "validation_mse", "mse_attacked", "fit_seconds"):
        row[cost] = np.mean([float(each[cost]) for each in found]) if cost in found[0] else np.nan
    if "shares" in found[0]:
        row["reliability"] = _reliability(stars, [each["shares"][:, -1] for each in found])
        refitted = [five_stars_refitted(stars, each["shares"], cumulative=ORDINAL in name) for each in found]
        row["reliability_refitted"] = _reliability(stars, refitted)
    row["confusion"] = json.dumps(sum(_confusions(stars, each["stars"]) for each in found).astype(int).tolist())
    row["parameters"] = str(found[0].get("parameters", ""))
    return row


def _paired(stars, ours, theirs, name: str) -> dict[str, float]:
    """Ours minus theirs in MSE and macro-F1, seeds averaged, with 95 % paired bootstrap intervals over test reviews."""
    weights = np.vstack([np.ones(len(stars)), *resamples(len(stars), 2000, rng=0)])  # the first row is the test itself
    row = {}
    for figure, of in (("mse", _mses), ("macro_f1", _macro_f1s)):
        value = [np.mean([of(stars, each, weights) for each in side], axis=0) for side in (ours, theirs)]
        difference = value[0] - value[1]
        low, high = percentiles(difference[1:], 0.95)
        row[f"{figure}_minus_{name}"] = difference[0]
        row[f"{figure}_low_{name}"], row[f"{figure}_high_{name}"] = float(low), float(high)
    return row


def _mses(stars, found, weights) -> np.ndarray:
    return weights @ (found["expected"][: len(stars)].astype(float) - stars) ** 2 / len(stars)


def _macro_f1s(stars, found, weights) -> np.ndarray:
    confusions = _confusions(stars, found["stars"][: len(stars)], weights)
    hits = np.diagonal(confusions, axis1=1, axis2=2)
    return (2 * hits / np.maximum(confusions.sum(axis=1) + confusions.sum(axis=2), 1e-12)).mean(axis=1)


def _confusions(stars, predicted, weights=None) -> np.ndarray:
    """Counts (5, 5) of true against predicted stars; with weights (n_resamples, n) one such table a resample."""
    cell = np.eye(25)[5 * (stars - 1) + predicted - 1]
    return cell.sum(axis=0).reshape(5, 5) if weights is None else (weights @ cell).reshape(-1, 5, 5)


def five_stars_refitted(stars, shares, *, cumulative: bool) -> np.ndarray:
    """P(5 stars) of each half of the reviews, with the head's last biases fitted anew on the other half.

    The biases are those of the five classes, or with `cumulative` the ordinal head's four thresholds; the loss is the
    head's own.
    """
    shares = np.clip(np.asarray(shares, float), 1e-7, 1)
    above = np.clip(1 - shares.cumsum(axis=1)[:, :-1], 1e-7, 1 - 1e-7)
    logits = logit(above) if cumulative else np.log(shares)
    over = stars[:, None] > np.arange(1, 5)

    def loss(shift, rows):
        moved = logits[rows] + shift
        if cumulative:
            return (np.logaddexp(0, moved) - over[rows] * moved).sum(axis=1).mean()
        return -log_softmax(moved, axis=1)[np.arange(rows.sum()), stars[rows] - 1].mean()

    even = np.arange(len(stars)) % 2 == 0
    result = np.empty(len(stars))
    for fit, use in ((even, ~even), (~even, even)):
        moved = logits[use] + minimize(loss, np.zeros(logits.shape[1]), args=(fit,)).x
        result[use] = expit(moved[:, -1]) if cumulative else softmax(moved, axis=1)[:, -1]
    return result


def _reliability(stars, five_stars) -> str:
    """Of each tenth of P(5 stars), seeds pooled: its mean, the share that gave 5 stars, the number of reviews."""
    said = np.concatenate(five_stars)
    was = np.tile(stars == 5, len(five_stars))
    tenth = np.minimum((10 * said).astype(int), 9)
    bins = [(said[tenth == b].mean(), was[tenth == b].mean(), (tenth == b).sum()) for b in np.unique(tenth)]
    return json.dumps([[round(float(a), 4), round(float(b), 4), int(n)] for a, b, n in bins])


def recompute(row):
    expected, stars, *_ = baseline(row["model"])
    return rating_figures(parts()["test"]["rating"].to_numpy(), expected, stars)


UNITS = [{"run": "fixed", "model": name} for name in FIXED]
UNITS += [{"run": "seed 0", "model": name} for name in (LIVE, *THRESHOLDS)]
# The adversarial rows take twice as long: they come last, so that an interrupted run has the others of every seed.
ADVERSARIAL = [name for name in NETWORKS if NETWORKS[name][1].adversarial]
UNITS += [{"run": f"seed {seed}", "model": name} for seed in SEEDS for name in NETWORKS if name not in ADVERSARIAL]
UNITS += [{"run": f"seed {seed}", "model": name} for seed in SEEDS for name in ADVERSARIAL]
UNITS += [{"run": "mean", "model": name} for name in NETWORKS]
EXPERIMENT = Experiment(
    data=("womens-clothing", "all-minilm-l6-v2"),
    units=UNITS,
    compute=compute,
    recompute=recompute,
    sample=(2, 3),  # the frozen rows encode 4,500 texts first, the networks take minutes
    sources=SOURCES,
)
