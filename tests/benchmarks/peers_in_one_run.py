"""Every comparison with a peer, one after the other: RESULTS.md anew, with all of them in its first table.

    python tests/benchmarks/peers_in_one_run.py            # half an hour on an idle machine, the environments apart

Each script makes the environments that it needs the first time (a few GB in all) and stops where values differ that
should be equal. A script that fails does not keep the others from running; the exit status tells.
"""

import subprocess
import sys
from pathlib import Path

SCRIPTS = (
    "models_vs_peers.py",
    "als_vs_implicit.py",
    "metrics_vs_rectools.py",
    "metrics_vs_peers.py",
    "rerank_vs_pyversity.py",
    "encoding_vs_sentence_transformers.py",
)


def main() -> int:
    failed = []
    for script in SCRIPTS:
        print(f"== {script}", flush=True)
        if subprocess.run([sys.executable, str(Path(__file__).with_name(script))]).returncode:
            failed.append(script)
    print(f"failed: {', '.join(failed)}" if failed else "all comparisons ran; see tests/benchmarks/RESULTS.md")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
