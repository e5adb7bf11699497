"""Metrics of recommendation lists, one family a module.

Every function takes `items`, an (n_users, width) array of column indices, best first, where -1 pads a short
list, and looks at the first `k` places. A -1 is a miss for accuracy, and no member of the list for everything
else. Per-user metrics return (n_users,) float64 with NaN where the metric is not defined for that user;
catalogue metrics return one float.

====================  =========================================================================
accuracy              ndcg, recall, precision, average_precision, reciprocal_rank, hit_rate
intra_list            ild, gaussian_ild, vendi_score, log_det
catalogue             exposure, coverage, exposed, gini, entropy, effective_catalogue_size
novelty               novelty, popularity, long_tail
facets                alpha_ndcg, subtopic_recall, facet_entropy, calibration
serendipity           serendipity
====================  =========================================================================
"""

from recsys_lib.metrics import accuracy, catalogue, facets, intra_list, novelty, serendipity

__all__ = ["accuracy", "catalogue", "facets", "intra_list", "novelty", "serendipity"]
