"""intent-llm: what does a small language model make of a request? Labels are scored, nothing is generated.

One row a request of `data/requests`. SmolLM2-135M-Instruct reads the request and is asked which genre of film fits; a
column a genre holds the log-likelihood (nats) of that genre's name as the answer, minus the same for the request "I
would like to watch a film." (a name that is likely whatever is asked says nothing). Refusals are for the model to hear.
`seconds` are of one core.
"""

from __future__ import annotations

import time
from functools import cache

import numpy as np

from recsys_lib.encoders.generator import Generator
from recsys_lib.intent import requests, vocabulary
from recsys_lib.results import Experiment

GENRES = tuple(facet.name for facet in vocabulary().values() if facet.kind == "genre")
NEUTRAL = "I would like to watch a film."


def prompt(request: str) -> str:
    return (
        f"Somebody says to a film service: {request}\nWhich genre of film should be recommended? Answer with one genre."
    )


@cache
def generator() -> Generator:
    return Generator()


def likelihoods(request: str) -> np.ndarray:
    """(n_genres,) log-likelihood of each genre as the answer."""
    return generator().log_likelihood(prompt(request), list(GENRES))


@cache
def _neutral() -> np.ndarray:
    return likelihoods(NEUTRAL)


def compute(unit, rows):
    neutral, started = _neutral(), time.process_time()
    found = likelihoods(requests.load(unit["part"]).loc[unit["id"], "text"]) - neutral
    return dict(zip(GENRES, found.round(4), strict=True)) | {"seconds": time.process_time() - started}


def recompute(row):
    found = likelihoods(requests.load(row["part"]).loc[row["id"], "text"]) - _neutral()
    return dict(zip(GENRES, found, strict=True))


EXPERIMENT = Experiment(
    data=("smollm2-135m-instruct",),
    units=[{"part": part, "id": name} for part in requests.PARTS for name in requests.load(part).index],
    compute=compute,
    recompute=recompute,
    sample=(2,),
    sources=("encoders/generator.py",),
)
