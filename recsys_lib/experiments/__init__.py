"""The experiments behind the stored results; `recsys_lib.results` runs them."""

from recsys_lib.interactions import Interactions
from recsys_lib.splits import Split


def matrices(split: Split, item_ids) -> tuple[Interactions, Interactions, Interactions]:
    """(train, test, seen) of a split, with the rows of train and the columns `item_ids`."""
    train = Interactions.from_frame(split.train, item_ids=item_ids)
    return train, *(Interactions.from_frame(part, train.user_ids, item_ids) for part in (split.test, split.seen))
