"""From raw files to vectors: seconds, memory, disk, and what a kill in the middle costs. Made files, real networks.

    python tests/benchmarks/raw_to_features.py                  # 4,000 texts, 1,000 images, 500 clips: ten minutes
    python tests/benchmarks/raw_to_features.py --share 0.02     # a small run

The files are the video shop's (`recsys_lib.synthetic`), written to a folder first. Each modality is encoded in a
process of its own with one thread and an empty cache, and CPU seconds are counted, loading of the network included.
Then once more, and this process is killed (SIGKILL) when half of the items are stored; another one goes on. The
script stops if that one computes again what was stored, or if a vector differs from the uninterrupted run's.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import peers

SIZES = {"texts": 4_000, "images": 1_000, "clips": 500}
NETWORKS = {"texts": "all-MiniLM-L6-v2", "images": "EfficientNet-Lite0", "clips": "musicnn"}
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


def worker(modality: str, raw: Path, target: Path) -> dict:
    """Encode everything; the vectors go to `target`."""
    from recsys_lib import encoders, notebook

    n_computed = 0

    def progress(batches):
        nonlocal n_computed
        for batch in notebook.progress(batches):
            yield batch
            n_computed += len(batch)

    if modality == "texts":
        encode, items = encoders.TextEncoder().encode, json.loads(raw.read_text(encoding="utf-8"))
    else:
        encode = encoders.ImageEncoder().encode if modality == "images" else encoders.AudioEncoder().encode
        items = sorted(raw.iterdir(), key=lambda path: int(path.stem))
    started = time.process_time()
    vectors = encode(items, progress=progress)
    seconds = time.process_time() - started
    np.save(target, vectors)
    return {"seconds": seconds, "computed": n_computed, "peak": peers.peak_memory_gb(), "mb": vectors.nbytes / 1e6}


def stored(cache: Path) -> int:
    """Vectors in the cache's only file, as another process sees them."""
    import sqlite3

    files = list((cache / "vectors").glob("*.sqlite"))
    if not files:
        return 0
    with sqlite3.connect(f"file:{files[0]}?mode=ro", uri=True, timeout=60) as file:
        has_table = file.execute("SELECT COUNT(*) FROM sqlite_master WHERE name = 'vectors'").fetchone()[0]
        return file.execute("SELECT COUNT(*) FROM vectors").fetchone()[0] if has_table else 0


def kill_at_half(command: list[str], environment: dict, cache: Path, n_items: int) -> int:
    """Start the worker, kill it when half is stored; how many are stored then."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    while stored(cache) < n_items / 2:
        if process.poll() is not None:
            raise RuntimeError("the worker had ended before it could be killed: take more items")
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return stored(cache)


def measured(modality: str, raw: Path, n_items: int, folder: Path) -> dict:
    def run(cache: Path, name: str) -> dict:
        environment = {**ONE_THREAD, "RECSYS_CACHE": str(cache)}
        return peers.run(sys.executable, Path(__file__), "--worker", modality, raw, folder / name, **environment)

    from recsys_lib import assets

    whole, broken = folder / f"{modality}-whole", folder / f"{modality}-broken"
    for cache in (whole, broken):  # the weights are fetched already: only the vectors are to be new
        cache.mkdir()
        for path in assets.cache_folder().iterdir():
            if path.name != "vectors":
                (cache / path.name).symlink_to(path)
    found = run(whole, "whole.npy")
    again = run(whole, "again.npy")
    command = [sys.executable, str(Path(__file__)), "--worker", modality, str(raw), str(folder / "killed.npy")]
    environment = {**os.environ, **ONE_THREAD, "RECSYS_CACHE": str(broken)}
    n_stored = kill_at_half(command, environment, broken, n_items)
    resumed = run(broken, "resumed.npy")
    if again["computed"] or n_stored + resumed["computed"] != n_items:
        raise RuntimeError(f"{modality}: {n_stored} were stored, and {resumed['computed']} of {n_items} computed again")
    difference = np.abs(np.load(folder / "whole.npy") - np.load(folder / "resumed.npy")).max()
    if difference > 1e-5:
        raise RuntimeError(f"{modality}: the resumed run's vectors differ by {difference}")
    on_disk = sum(path.stat().st_size for path in (whole / "vectors").iterdir()) / 1e6
    return {**found, "again": again["seconds"], "stored": n_stored, "difference": float(difference), "disk": on_disk}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--share", type=float, default=1.0, help="of the default numbers of items")
    parser.add_argument("--worker", nargs=3, metavar=("MODALITY", "RAW", "TARGET"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        modality, raw, target = arguments.worker
        print(json.dumps(worker(modality, Path(raw), Path(target))))
        return
    from recsys_lib import assets, notebook, synthetic

    for asset in ("all-minilm-l6-v2", "efficientnet-lite0", "musicnn"):
        assets.fetch(asset)
    sizes = {name: max(int(size * arguments.share), 4) for name, size in SIZES.items()}
    shop = synthetic.video_shop(sizes["texts"], n_users=100, interactions_per_user=5, rng=0)
    lines = [
        "| raw | network | items | CPU seconds | ms an item | GB peak | MB of vectors | MB in the cache "
        "| stored at the kill | largest difference after it | seconds when all is cached |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        said = (shop.items["title"] + ". " + shop.items["description"]).tolist()
        (folder / "texts.json").write_text(json.dumps(said), encoding="utf-8")
        for name, kind, size in (("images", "thumbnails", sizes["images"]), ("clips", "sounds", sizes["clips"])):
            shop.write(folder / name, items=range(size), progress=notebook.progress)
            (folder / name / kind).rename(folder / kind)
        raws = {"texts": folder / "texts.json", "images": folder / "thumbnails", "clips": folder / "sounds"}
        for modality, raw in raws.items():
            n = sizes[modality]
            row = measured(modality, raw, n, folder)
            lines.append(
                f"| {modality} | {NETWORKS[modality]} | {n:,} | {row['seconds']:.1f} | {1000 * row['seconds'] / n:.1f} "
                f"| {row['peak']:.2f} | {row['mb']:.1f} | {row['disk']:.1f} | {row['stored']:,} "
                f"| {row['difference']:.1g} | {row['again']:.2f} |"
            )
            print(lines[-1], flush=True)
    text = (
        "Texts of 48 words on average; images of 160 x 120 pixels; clips of 3.2 seconds at 16 kHz. One thread.\n"
        f"{peers.versions(sys.executable, 'torch', 'transformers', 'pillow', 'librosa')}.\n\n" + "\n".join(lines)
    )
    peers.publish("From raw files to vectors", text, write=arguments.share == 1.0)


if __name__ == "__main__":
    main()
