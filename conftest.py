"""Settings of the two pytest runs: the unit tests, and nbval on the committed notebooks."""

import os

from threadpoolctl import threadpool_limits


def pytest_configure(config):
    os.environ["RECSYS_HEADLESS"] = "1"  # kernels inherit it: no progress bars in outputs
    # What is compared was computed on a CPU; a GPU draws other dropout masks. (CUDA_VISIBLE_DEVICES=0 tries one.)
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as notebook.setup: threads that wait shall not spin
    # Small products of matrices get twenty times slower when BLAS's threads wait for a core that another process has.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # for kernels and other children
    threadpool_limits(1, user_api="blas")  # for this process: a plugin of pytest has loaded numpy by now
    # nbval starts the kernel that the notebook names ("python3"), wherever that may live: use this Python instead.
    config.option.nbval_current_env = True


def pytest_collection_modifyitems(items):
    for item in items:
        if hasattr(item, "output_timeout"):
            item.output_timeout = 60  # nbval waits 5 s for the output of a cell by default
