"""What the experiments on streams share: rows of a stored table from prequential runs, and their differences."""

from __future__ import annotations

import json

import numpy as np

from recsys_lib.online import Prequential

CATALOGUE = ("coverage", "gini")


def figures(found: Prequential) -> dict[str, float]:
    """Means over the lists of the whole stream; catalogue figures are means over its periods."""
    metrics = [name for name in found.per_list if name not in ("block", "user", "period")]
    means = found.per_list[metrics].mean().to_dict() | found.periods[list(CATALOGUE)].mean().to_dict()
    return means | {"n_lists": len(found.per_list), "n_users": int(found.per_list["user"].nunique())}


def over(found: Prequential, other: Prequential, name: str, metric: str = "ndcg") -> dict[str, float]:
    """The paired difference to another run, with its interval over users, as columns."""
    ends = zip(("", "_low", "_high"), found.difference(other, metric), strict=True)
    return {f"{metric}_over_{name}{end}": value for end, value in ends}


def series(found: Prequential, metrics) -> dict[str, str]:
    """A JSON list a figure, one number a period: means, and the band of nDCG."""
    band = found.bands("ndcg").reindex(found.periods.index)
    columns = {f"{name}_by_period": found.periods[name] for name in metrics}
    columns |= {f"ndcg_{end}_by_period": band[end] for end in ("low", "high")}
    return {name: json.dumps(np.round(values.astype(float), 4).tolist()) for name, values in columns.items()}
