"""Re-rankers: from a long list of candidates to a short list that is good as a set, for all users at once."""

from recsys_lib.rerank.facets import calibrated, pm2, user_facets, xquad
from recsys_lib.rerank.greedy import dpp, mmr, msd, ssd
from recsys_lib.rerank.search import exposure, joint, swap

__all__ = [
    "calibrated",
    "dpp",
    "exposure",
    "joint",
    "mmr",
    "msd",
    "pm2",
    "ssd",
    "swap",
    "user_facets",
    "xquad",
]
