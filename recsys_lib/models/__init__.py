"""Every model by its name; each has `fit(train, item_vectors=None)`, `score(users)` and `recommend(users, k)`."""

from recsys_lib.models.als import ALS
from recsys_lib.models.base import Recommender
from recsys_lib.models.blend import Blend
from recsys_lib.models.content import L3AE, ColdStart, ContentKNN, ContentProfile, KernelRidgeContent, LinearTextMap
from recsys_lib.models.factorisation import BiasedMF, PureSVD
from recsys_lib.models.feature_ials import FeatureIALS
from recsys_lib.models.lambda_beta import LambdaBetaRecommender
from recsys_lib.models.linear import EASE, SLIM
from recsys_lib.models.mult_vae import MultVAE
from recsys_lib.models.neighbours import ItemKNN, RP3beta, UserKNN
from recsys_lib.models.probability import HitProbability
from recsys_lib.models.recency import SLIT, FadingEASE
from recsys_lib.models.simple import Popularity, Random
from recsys_lib.models.warp import WARPFactorization
from recsys_lib.topk import TopK

__all__ = [
    "ALS",
    "EASE",
    "L3AE",
    "SLIM",
    "SLIT",
    "BiasedMF",
    "Blend",
    "ColdStart",
    "ContentKNN",
    "ContentProfile",
    "FadingEASE",
    "FeatureIALS",
    "HitProbability",
    "ItemKNN",
    "KernelRidgeContent",
    "LambdaBetaRecommender",
    "LinearTextMap",
    "MultVAE",
    "Popularity",
    "PureSVD",
    "RP3beta",
    "Random",
    "Recommender",
    "TopK",
    "UserKNN",
    "WARPFactorization",
]
