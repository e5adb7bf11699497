"""Worlds whose truth is known: a shop of products (`shop`) and one of videos with raw files (`video_shop`)."""

from recsys_lib.synthetic.shop import (
    MATERIALS,
    OCCASIONS,
    PRODUCTS,
    QUALITIES,
    RATING_SHARES,
    SHARPNESS,
    Shop,
    catalogue,
    shop,
)
from recsys_lib.synthetic.video import CATEGORIES, VideoShop, video_shop

__all__ = [
    "CATEGORIES",
    "MATERIALS",
    "OCCASIONS",
    "PRODUCTS",
    "QUALITIES",
    "RATING_SHARES",
    "SHARPNESS",
    "Shop",
    "VideoShop",
    "catalogue",
    "shop",
    "video_shop",
]
