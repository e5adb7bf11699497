"""Run by test_online_snapshots.py: children that change a store are killed in the middle, again and again.

    python online_crashes.py FOLDER KILLS

Prints one JSON object: acknowledged and resumed numbers of changes at each kill. Import once, fork for each child.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from recsys_lib.interactions import Interactions
from recsys_lib.online import IncrementalEASE, Store

N_USERS, N_ITEMS, SNAPSHOT_EVERY = 60, 90, 40


def start() -> IncrementalEASE:
    matrix = sparse.random(N_USERS, N_ITEMS, 0.1, format="csr", random_state=0, dtype=np.float32)
    matrix.data[:] = 1
    return IncrementalEASE(l2=10.0).fit(Interactions(matrix, pd.RangeIndex(N_USERS), pd.RangeIndex(N_ITEMS)))


def change(number: int, model: IncrementalEASE) -> tuple:
    """The change that comes after `number` others: drawn from the number and the state alone."""
    rng = np.random.default_rng(number)
    kind, user = rng.integers(6), int(rng.integers(model.history_.n_users))
    if kind == 0:
        return "add_users", [rng.integers(model.history_.n_items, size=5)]
    if kind == 1 and len(model.history_.rows[user][0]):
        return "remove_interactions", user, rng.choice(model.history_.rows[user][0], 1)
    if kind == 2 and number % 5 == 0:
        return "forget", user
    if kind == 3 and number % 7 == 0:
        return "add_items", 1
    return "learn", rng.integers(model.history_.n_users, size=4), rng.integers(model.history_.n_items, size=4)


def work(folder: Path, pipe: int) -> None:
    with Store(folder, IncrementalEASE) as store:
        os.write(pipe, f"{store.n_changes}r\n".encode())
        while True:
            store.apply(*change(store.n_changes, store.model))
            os.write(pipe, f"{store.n_changes}a\n".encode())
            if store.n_changes % SNAPSHOT_EVERY == 0:
                store.snapshot()


def main() -> None:
    folder, kills, rng = Path(sys.argv[1]), int(sys.argv[2]), np.random.default_rng(0)
    Store(folder, IncrementalEASE, start()).close()
    found = []
    for _ in range(kills):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            try:
                work(folder, writing)
            finally:
                os._exit(1)
        os.close(writing)
        with os.fdopen(reading) as told:
            lines = [told.readline()]  # it has resumed
            time.sleep(rng.uniform(0.0, 0.12))
            os.kill(child, signal.SIGKILL)
            lines += told.read().splitlines()
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "the child ended by itself"
        acknowledged = [int(line[:-1]) for line in lines if line.endswith("a")]
        found.append({"resumed": int(lines[0].strip()[:-1]), "acknowledged": max(acknowledged, default=0)})
    print(json.dumps(found))


if __name__ == "__main__":
    main()
