"""shilling: what fake profiles that push a film achieve on MovieLens-100K, with and without a guard at the door.

Users are parted at random: 70 % were there before, 30 % are genuine newcomers, who come together with the fakes. Each
row has N_TARGETS films to be pushed, half of them hardly known (5 to 15 users), half known (50 to 100). Fakes are 1, 5
or 10 % of the number of genuine users. Lists are those of the users who were there before; `hit_rate` is the share of
those without the film whose list of ten shows it, `ndcg` is accuracy on their own test items.

"before": no fakes. "attacked": everybody is learned from. "defended": the guard's suspects are not. EASE learns the
newcomers one after another and forgets the suspects again (`IncrementalEASE.forget`), which is exact; the neighbourhood
models are fitted anew without them. Intervals are bootstraps over films; those of nDCG over users.
"""

from __future__ import annotations

import copy
from functools import cache

import numpy as np
import pandas as pd
from scipy import sparse

from recsys_lib import datasets, evaluation, models, splits
from recsys_lib.experiments import matrices
from recsys_lib.interactions import Interactions
from recsys_lib.metrics import accuracy
from recsys_lib.online import IncrementalEASE, shilling
from recsys_lib.results import Experiment

L2, REFUSED = 484.0, 0.02  # EASE's regularisation, tuned in notebook 05; incoherent genuine histories that are refused
SHARES, N_TARGETS = (0.01, 0.05, 0.1), 6
MODELS = {
    "EASE": lambda: IncrementalEASE(l2=L2),
    "EASE, l2 = 100": lambda: IncrementalEASE(l2=100.0),
    "ItemKNN": models.ItemKNN,
    "UserKNN": models.UserKNN,
}


@cache
def people() -> tuple[Interactions, Interactions, int]:
    """(train, test, how many were there before): rows of those who were there before come first."""
    found = datasets.load("ml-100k")
    train, test, _ = matrices(splits.protocol("A", found.interactions, 0), found.items.index)
    order = np.random.default_rng(0).permutation(train.n_users)
    train, test = (Interactions(part.matrix[order], part.user_ids[order], part.item_ids) for part in (train, test))
    return train, test, round(0.7 * train.n_users)


@cache
def guard() -> shilling.Guard:
    train, _, n_before = people()
    return shilling.Guard.of(train.matrix[:n_before], l2=L2, refused=REFUSED, rng=0)


@cache
def targets() -> tuple[int, ...]:
    counts, rng = people()[0].item_counts, np.random.default_rng(1)
    bands = (np.flatnonzero((counts >= low) & (counts <= high)) for low, high in ((5, 15), (50, 100)))
    return tuple(int(item) for band in bands for item in rng.permutation(band)[: N_TARGETS // 2])


@cache
def newcomers(attack: str, share: float, target: int) -> tuple[sparse.csr_matrix, np.ndarray, np.ndarray]:
    """(histories of the genuine newcomers and the fakes, which of them are fake, whom the guard suspects)."""
    train, _, n_before = people()
    genuine = train.matrix[n_before:]
    n_fakes = round(share * train.n_users)
    rng = np.random.default_rng([shilling.ATTACKS.index(attack) if attack in shilling.ATTACKS else 99, n_fakes, target])
    fakes = shilling.fake_profiles(attack, n_fakes, target, train.matrix, rng)
    rows = sparse.vstack([genuine, fakes], format="csr")
    rows.sort_indices()
    return rows, np.arange(rows.shape[0]) >= genuine.shape[0], guard().suspects(rows)


@cache
def _before_anybody_came(name: str) -> IncrementalEASE:
    train, _, n_before = people()
    return MODELS[name]().fit(Interactions(train.matrix[:n_before], train.user_ids[:n_before], train.item_ids))


def lists(name: str, rows: sparse.csr_matrix, suspects: np.ndarray) -> np.ndarray:
    """(n_before, 10): what those who were there before are shown once `rows` have come and `suspects` were refused."""
    train, _, n_before = people()
    if name.startswith("EASE"):
        model = copy.deepcopy(_before_anybody_came(name))
        arrived = model.add_users(rows)
        for row in arrived[suspects]:
            model.forget(row)
    else:
        learned = sparse.vstack([train.matrix[:n_before], rows[~suspects]], format="csr")
        model = MODELS[name]().fit(Interactions(learned, pd.RangeIndex(learned.shape[0]), train.item_ids))
    return model.recommend(np.arange(n_before), k=10).items


def _figures(name, rows, suspects, target) -> tuple[float, np.ndarray]:
    """(hit rate of the target, (n_before,) nDCG)."""
    train, test, n_before = people()
    found = lists(name, rows, suspects)
    hit_rate = shilling.hit_rate_of(target, found, train.matrix[:n_before])
    return hit_rate, accuracy.ndcg(found, test.matrix[:n_before], 10)


@cache
def _before(name: str) -> np.ndarray:
    train, _, n_before = people()
    genuine = train.matrix[n_before:]
    return lists(name, genuine, np.zeros(genuine.shape[0], bool))


def compute(unit, rows):
    name = unit["model"]
    train, test, n_before = people()
    found = {"attacked": [], "defended": []}
    caught, refused = [], []
    for target in targets():
        arrived, fake, suspects = newcomers(unit["attack"], unit["share"], target)
        caught.append(suspects[fake].mean())
        refused.append(suspects[~fake].mean())
        found["attacked"].append(_figures(name, arrived, np.zeros(len(fake), bool), target))
        found["defended"].append(_figures(name, arrived, suspects, target))
    untouched = _before(name)
    row = {"hit_rate_before": np.mean([shilling.hit_rate_of(t, untouched, train.matrix[:n_before]) for t in targets()])}
    base = accuracy.ndcg(untouched, test.matrix[:n_before], 10)
    row |= {"ndcg_before": np.nanmean(base)}
    for how, pairs in found.items():
        row |= _ends(f"hit_rate_{how}", evaluation.confidence_interval([hit_rate for hit_rate, _ in pairs]))
        change = np.mean([ndcg for _, ndcg in pairs], axis=0) - base
        row |= _ends(f"ndcg_change_{how}", evaluation.confidence_interval(change))
    return row | {"fakes_caught": np.mean(caught), "genuine_refused": np.mean(refused)}


def _ends(name, interval) -> dict:
    return dict(zip((name, f"{name}_low", f"{name}_high"), interval, strict=True))


def recompute(row):
    found = compute({key: row[key] for key in ("attack", "share", "model")}, None)
    return {figure: found[figure] for figure in ("hit_rate_attacked", "fakes_caught", "genuine_refused")}


EXPERIMENT = Experiment(
    data=("ml-100k",),
    units=[
        {"attack": attack, "share": share, "model": name}
        for attack in (*shilling.ATTACKS, shilling.NOISE)
        for share in SHARES
        for name in MODELS
    ],
    compute=compute,
    recompute=recompute,
    sample=(56,),
    # That IncrementalEASE equals a refit is tested.
    sources=("online/shilling.py", "splits.py", "models/base.py", "models/linear.py", "models/neighbours.py"),
)
