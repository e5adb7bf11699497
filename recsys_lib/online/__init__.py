"""Online: models that learn from a stream, and how they are judged and kept."""

from recsys_lib.online.counts import FadingFrequency, FadingPopularity, IncrementalItemKNN
from recsys_lib.online.ease import IncrementalEASE
from recsys_lib.online.fold_in import FoldIn
from recsys_lib.online.history import History
from recsys_lib.online.new_items import IncrementalL3AE
from recsys_lib.online.prequential import Prequential, prequential
from recsys_lib.online.profile import LiveProfile
from recsys_lib.online.snapshots import DamagedStore, Store
from recsys_lib.online.stream import Block, Stream

__all__ = [
    "Block",
    "DamagedStore",
    "FadingFrequency",
    "FadingPopularity",
    "FoldIn",
    "History",
    "IncrementalEASE",
    "IncrementalItemKNN",
    "IncrementalL3AE",
    "LiveProfile",
    "Prequential",
    "Store",
    "Stream",
    "prequential",
]
