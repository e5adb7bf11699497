"""Pretrained encoders: raw content in, one vector an item out. torch stays inside."""

from recsys_lib.encoders.audio import AudioEncoder
from recsys_lib.encoders.image import ImageEncoder
from recsys_lib.encoders.text import TextEncoder
from recsys_lib.encoders.tfidf import TfidfEncoder
from recsys_lib.encoders.transforms import PCA, RemoveTopComponents, Whiten, anisotropy

__all__ = [
    "PCA",
    "AudioEncoder",
    "ImageEncoder",
    "RemoveTopComponents",
    "TextEncoder",
    "TfidfEncoder",
    "Whiten",
    "anisotropy",
]
