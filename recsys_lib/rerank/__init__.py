"""Re-rankers: from a long list of candidates to a short list that is good as a set, for all users at once."""

from recsys_lib.rerank.mmr import mmr

__all__ = ["mmr"]
