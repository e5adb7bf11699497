"""reranking-ml-1m: the same as reranking, with its own validation part, on MovieLens-1M and protocol ML1M-R.

Six times the users, so only the methods that stand for their kind, and no union of the peer's five.
"""

from dataclasses import replace

from recsys_lib.experiments import reranking
from recsys_lib.experiments.reranking import OWN, PEER, REFERENCE, WIDEST

METHODS = [(PEER, 100), ("msd", 100), ("swap", 100), ("swap", WIDEST)]
EXPERIMENT = replace(
    reranking.EXPERIMENT,
    data=("ml-1m", "all-minilm-l6-v2"),
    units=reranking.units("ML1M-R", {REFERENCE: METHODS, OWN: METHODS}),
    sample=(1,),
)
