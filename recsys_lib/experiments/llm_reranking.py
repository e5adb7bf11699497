"""llm-reranking: does a small language model, asked for a varied list, choose better than MMR?

MovieLens-100K, protocol A, split 0. For 24 users with ten test films or more, each method chooses 10 of EASE's top 20.
The model is SmolLM2-135M-Instruct (4-bit weights, computed in float32; always the likeliest token). It is asked

- freely ("varied", "relevant"): it reads what the user liked and the 20 numbered films, and its answer is parsed for
  numbers and titles. Places that it leaves empty get the first candidates left over, so that an answer without
  anything usable is EASE's own list: `n_filled` says how many places it decided, `n_unlisted` how many entries name no
  film of the list and `n_repeated` how many name one again;
- by force ("forced"): the same, place by place the unused number that is the likeliest to come next;
- by scores ("different"): place by place, after EASE's first, the film with the highest likelihood after "a film that
  is very different from" those chosen; "different against similar" subtracts its log-likelihood after "very similar
  to". Relevance has no say, as in the rows of MMR that ignore it. Tried in one wording.

Three prompts for free answers were tried on the validation part of six other users. Of ten places the model filled,
asked for varied and for relevant films, 3.5 and 3.7 with this one, 1.3 and 3.0 with a worked example before it, 2.0 and
1.0 where titles were asked for in place of numbers (counted by a stricter reader than `parse`: one title a line).

Lists are shown in the candidates' order, as the re-rankers do it; `ndcg_as_given` has them as they were given. Random
is a mean over 20 draws. MMR's trade-off is what the validation part of all users allows within the loss in its name.
Source of the question: Carraro & Bridge 2024 (arXiv:2401.11506): large models beat random choice and lose to MMR.
"""

from __future__ import annotations

import time
from functools import cache

import numpy as np
import pandas as pd

from recsys_lib import evaluation, models, rerank, splits
from recsys_lib.encoders.generator import Generator
from recsys_lib.experiments import lambda_beta
from recsys_lib.experiments.llm_prompts import parse, prompt, relation_prompt, spoken
from recsys_lib.metrics import accuracy, intra_list
from recsys_lib.results import Experiment
from recsys_lib.topk import TopK

K, WIDTH, N_USERS, N_LIKED, N_DRAWS = 10, 20, 24, 8, 20
MAX_TOKENS = 160  # of a free answer: ten titles with years
BASE, RANDOM = "EASE", "random"
MMR = {  # method -> (space, loss of nDCG allowed on the validation part; None: relevance is ignored)
    "MMR, 1 %": ("text", 0.01),
    "MMR, 5 %": ("text", 0.05),
    "MMR, relevance ignored": ("text", None),
    "MMR on genres, relevance ignored": ("genre", None),
}
FREE = {"SmolLM2, varied": "varied", "SmolLM2, relevant": "relevant"}
FORCED = {"SmolLM2, varied, forced": "varied"}
SCORED = {
    "SmolLM2, different": ("different from",),
    "SmolLM2, different against similar": ("different from", "similar to"),
}
METHODS = (BASE, RANDOM, *MMR, *FREE, *FORCED, *SCORED)
FIGURES = ("ndcg", "ndcg_as_given", *(f"ild_{space}" for space in lambda_beta.SPACES))


@cache
def generator() -> Generator:
    model = Generator()
    model.complete("Hello", 1)  # loads it, so that no answer is timed with the loading
    return model


@cache
def candidates(validation: bool = False) -> TopK:
    train, _, seen = lambda_beta.data("A", 0)[int(validation)]
    return models.EASE(l2=484.0).fit(train).recommend(k=WIDTH, exclude=seen)


@cache
def drawn_users() -> np.ndarray:
    """Rows of the users who take part."""
    enough = lambda_beta.data("A", 0)[0][1].matrix.getnnz(axis=1) >= K
    return np.sort(np.random.default_rng(0).choice(np.flatnonzero(enough), N_USERS, replace=False))


@cache
def films(user: int) -> tuple[list[str], list[str]]:
    """(the films of the training part that the user rated highest, the latest first; the candidates)."""
    found = lambda_beta.dataset()[0]
    rows = splits.protocol("A", found.interactions, 0).train
    rows = rows[rows["user_id"] == lambda_beta.data("A", 0)[0][0].user_ids[user]]
    rows = rows.sort_values(["rating", "timestamp", "item_id"], ascending=[False, False, True])
    liked = found.items.loc[rows["item_id"].head(N_LIKED), "text"]
    return [spoken(text) for text in liked], [spoken(found.items["text"].iloc[n]) for n in candidates().items[user]]


def ask(user: int, method: str) -> tuple[str, str]:
    """(prompt, answer); the prompts of scored methods change with every place and are left out."""
    if method in SCORED:
        return "", scored(films(user)[1], SCORED[method])
    question = prompt(*films(user), (FREE | FORCED)[method])
    return question, forced(question) if method in FORCED else generator().complete(question, MAX_TOKENS)


def forced(question: str) -> str:
    """Ten different numbers, each the likeliest of the unused ones after those before it."""
    chosen = []
    while len(chosen) < K:
        begun, free = "".join(f"{number}, " for number in chosen), np.setdiff1d(np.arange(1, WIDTH + 1), chosen)
        chosen.append(free[generator().log_likelihood(question, [f"{begun}{number}," for number in free]).argmax()])
    return ", ".join(map(str, chosen))


def scored(texts: list[str], relations: tuple[str, ...]) -> str:
    """Ten different numbers, each of the film that is likeliest in the first relation (and least in the second)."""
    chosen = [1]
    while len(chosen) < K:
        taken, free = [texts[n - 1] for n in chosen], np.setdiff1d(np.arange(1, WIDTH + 1), chosen)
        left = [texts[n - 1] for n in free]
        value = [generator().log_likelihood(relation_prompt(taken, relation), left) for relation in relations]
        chosen.append(free[(value[0] - sum(value[1:])).argmax()])
    return ", ".join(map(str, chosen))


@cache
def trade_off(space: str, budget: float | None) -> float:
    """MMR's trade-off with the highest ILD whose loss of nDCG on the validation part is within the budget."""
    if budget is None:
        return 1.0
    found, vectors, reports = candidates(True), lambda_beta.dataset()[1][space], {}
    for t in np.linspace(0, 1, 41):
        lists = rerank.mmr(found, vectors, trade_off=t, engine="numpy")
        reports[t] = lambda_beta.judge(lists, "A", 0, validation=True)
    return evaluation.within_budget(reports, reports[0.0], f"ild_{space}", budget=budget)


def figures(user: int, given: list[int]) -> dict[str, float]:
    """Of a list of ten, as places among the user's candidates in the order in which a method gave them."""
    lists, relevant = candidates().items[user][[sorted(given), given]], lambda_beta.data("A", 0)[0][1].matrix
    row = dict(zip(FIGURES[:2], accuracy.ndcg(lists, relevant[[user, user]], K), strict=True))
    row |= {f"ild_{name}": intra_list.ild(lists[:1], v, K)[0] for name, v in lambda_beta.dataset()[1].items()}
    return row | {"kept": np.mean(np.array(given) < K)}  # the share of EASE's own ten


def judged(user: int, answer: str) -> dict[str, float]:
    """What the answer chose, and how good the filled list is."""
    chosen, n_unlisted, n_repeated = parse(answer, films(user)[1])
    row = {"n_filled": len(chosen), "n_unlisted": n_unlisted, "n_repeated": n_repeated}
    row["mean_number"] = np.mean(chosen) + 1 if chosen else np.nan  # 5.5: the first ten; 10.5: no place is preferred
    return row | figures(user, chosen + [place for place in range(WIDTH) if place not in chosen][: K - len(chosen)])


def choose(user: int, method: str) -> dict[str, float]:
    """The figures of a method that asks no language model."""
    if method == BASE:
        return figures(user, list(range(K)))
    if method == RANDOM:
        rng = np.random.default_rng(user)
        draws = [figures(user, rng.permutation(WIDTH)[:K].tolist()) for _ in range(N_DRAWS)]
        return pd.DataFrame(draws).mean().to_dict()
    found, vectors, t = candidates(), lambda_beta.dataset()[1][MMR[method][0]], trade_off(*MMR[method])
    own = TopK(found.items[[user]], found.scores[[user]], found.scale)
    start = time.perf_counter()
    picks = rerank.mmr(own, vectors, trade_off=t, order="selection", engine="numpy").items[0]
    row = {"trade_off": t, "seconds": time.perf_counter() - start}
    return row | figures(user, [own.items[0].tolist().index(item) for item in picks])


def compute(unit, rows):
    user, method = drawn_users()[unit["user"]], unit["method"]
    row = {"user_id": lambda_beta.data("A", 0)[0][0].user_ids[user]}
    if method not in FREE | FORCED | SCORED:
        return row | choose(user, method)
    generator()
    start = time.perf_counter()
    question, answer = ask(user, method)
    row |= {"seconds": time.perf_counter() - start, "answer": answer}
    return row | {"prompt": question if method in FREE else ""} | judged(user, answer)  # forced: the same prompt


def recompute(row):
    """The figures again; a language model's from its stored answer."""
    user = drawn_users()[int(row["user"])]
    found = judged(user, row["answer"]) if isinstance(row["answer"], str) else choose(user, row["method"])
    return {name: float(value) for name, value in found.items() if value == value and name != "seconds"}


def summary(rows: pd.DataFrame, against: str = BASE) -> pd.DataFrame:
    """One row a method: means over users, and each figure's difference to `against` with a paired 95 % interval.

    Columns: a figure and, with `_minus`, `_low` and `_high`, its difference; then what the answers were like.
    """
    table = {method: {} for method in METHODS}
    for figure in FIGURES:
        values = rows.pivot(index="user", columns="method", values=figure)
        for method, row in table.items():
            difference = evaluation.confidence_interval(values[method] - values[against])
            row[figure] = values[method].mean()
            row |= {figure + end: value for end, value in zip(("_minus", "_low", "_high"), difference, strict=True)}
    by_method = rows.groupby("method")
    about = by_method[["kept", "n_filled", "n_unlisted", "n_repeated", "mean_number"]].mean()
    return pd.DataFrame(table).T.join(about.assign(seconds=by_method["seconds"].median()))  # a machine may pause


EXPERIMENT = Experiment(
    data=("ml-100k", "all-minilm-l6-v2", "smollm2-135m-instruct"),
    units=[{"user": user, "method": method} for user in range(N_USERS) for method in METHODS],
    compute=compute,
    recompute=recompute,
    sample=tuple(range(len(METHODS))),  # all of one user: no second
    sources=("models/base.py", "models/linear.py", "rerank/greedy.py", "rerank/inputs.py", "metrics", "splits.py"),
)
