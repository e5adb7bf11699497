"""leaderboard-hypervolume-ml-1m: the same as leaderboard-hypervolume, on MovieLens-1M and protocol ML1M-R."""

from dataclasses import replace

from recsys_lib.experiments import leaderboard_hypervolume

EXPERIMENT = replace(
    leaderboard_hypervolume.EXPERIMENT,
    data=("ml-1m", "all-minilm-l6-v2"),
    units=leaderboard_hypervolume.units("ML1M-R"),
)
