"""What the unit tests share: the tiny synthetic set and its matrices. None of them needs a network."""

import pytest
from tiny_models import save_bert

from recsys_lib import datasets, splits
from recsys_lib.interactions import Interactions


@pytest.fixture(scope="session")
def tiny():
    return datasets.load("synthetic-tiny")


@pytest.fixture(scope="session")
def tiny_split(tiny):
    return splits.protocol("A", tiny.interactions, seed=0)


@pytest.fixture(scope="session")
def tiny_train(tiny, tiny_split):
    return Interactions.from_frame(tiny_split.train, item_ids=tiny.items.index)


@pytest.fixture(scope="session")
def tiny_test(tiny, tiny_split, tiny_train):
    return Interactions.from_frame(tiny_split.test, tiny_train.user_ids, tiny.items.index)


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory):
    """The folder of a BERT with random weights, two layers of 16 dimensions, that spells its words."""
    return save_bert(tmp_path_factory.mktemp("bert"))
