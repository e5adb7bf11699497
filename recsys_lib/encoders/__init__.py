"""Pretrained encoders: raw content in, one vector an item out. torch stays inside."""

from recsys_lib.encoders.text import TextEncoder
from recsys_lib.encoders.tfidf import TfidfEncoder

__all__ = ["TextEncoder", "TfidfEncoder"]
