"""Several modalities of an item made into one recommendation, and the test of what each is worth."""

from recsys_lib.fusion.early import Projection, block, concatenate
from recsys_lib.fusion.gated import GatedFusion
from recsys_lib.fusion.graph import GraphFusion
from recsys_lib.fusion.knockout import knockout, shuffled
from recsys_lib.fusion.late import LateFusion, without

__all__ = [
    "GatedFusion",
    "GraphFusion",
    "LateFusion",
    "Projection",
    "block",
    "concatenate",
    "knockout",
    "shuffled",
    "without",
]
