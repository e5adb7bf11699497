"""leaderboard-ml-1m: the same as leaderboard, on MovieLens-1M and protocol ML1M-R."""

from dataclasses import replace

from recsys_lib.experiments import leaderboard

EXPERIMENT = replace(
    leaderboard.EXPERIMENT,
    data=("ml-1m", "all-minilm-l6-v2"),
    units=[{"protocol": "ML1M-R", "model": name} for name in (*leaderboard.MODELS, *leaderboard.CONTROLS)],
    sample=(0,),
)
