"""TextEncoder against sentence-transformers with the same MiniLM: are the vectors equal, and texts a second.

Then the same encoder in reduced precision, where equal is too much to ask: how many of a text's ten nearest are kept.

    python tests/benchmarks/encoding_vs_sentence_transformers.py                              # a few minutes
    python tests/benchmarks/encoding_vs_sentence_transformers.py --texts FILE.csv --column NAME --n-texts 150

The default texts are clothing reviews of 15 to 60 words, about as long as a film's plot in a catalogue. Each round
starts a process a side, with a loaded and warmed model; sentence-transformers runs at every batch size and its best
one counts. Ours includes the cache that it writes. With one thread, the default, CPU seconds are counted, so that
other programs on the machine do not matter; with more threads it should be idle. The script stops if two float32
vectors differ by more than 1e-4.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import peers

BATCH_SIZES = (8, 16, 32, 64, 128)
OURS, PLAIN = "ours", "ours, with PyTorch's own linear layers"
REDUCED = {"ours, bfloat16": "bfloat16", "ours, int8": "int8"}
BAR, REDUCED_BAR = 1.2, "2, .95 kept"  # times faster; and the share of the ten nearest


def stopwatch(call) -> tuple[float, np.ndarray]:
    """Seconds and the result of a call: CPU seconds of a single thread, seconds on the wall of several."""
    clock = time.process_time if os.environ["OMP_NUM_THREADS"] == "1" else time.perf_counter
    started = clock()
    result = call()
    return clock() - started, result


def our_side(model: str, texts: list[str], vectors: Path) -> dict:
    """Seconds of `TextEncoder.encode` with an empty cache: as it is, in reduced precision, without oneDNN's layers."""
    from recsys_lib.encoders import TextEncoder
    from recsys_lib.encoders.cpu_linear import OneDNNLinear

    def encode(encoder):
        with tempfile.TemporaryDirectory() as cache:
            os.environ["RECSYS_CACHE"] = cache
            return encoder.encode(texts)

    seconds, found = {}, {}
    for name in (OURS, *REDUCED, PLAIN):
        if name == PLAIN:
            OneDNNLinear.works_here = staticmethod(lambda: False)
        encoder = TextEncoder(model, dtype=REDUCED.get(name, "float32"))
        encode(encoder)
        seconds[name], found[name] = stopwatch(lambda encoder=encoder: encode(encoder))
    np.savez(vectors, **found)
    return seconds


def their_side(model: str, texts: list[str], vectors: Path) -> dict:
    """In the peer's environment: seconds of `SentenceTransformer.encode` at each batch size."""
    from sentence_transformers import SentenceTransformer

    encoder = SentenceTransformer(model, device="cpu")
    encoder.encode(texts, batch_size=16)
    seconds = {}
    for size in BATCH_SIZES:
        seconds[f"sentence-transformers, batch size {size}"], found = stopwatch(
            lambda size=size: encoder.encode(texts, batch_size=size, show_progress_bar=False)
        )
    np.savez(vectors, found)
    return seconds


def nearest_kept(vectors: np.ndarray, reference: np.ndarray, k: int = 10) -> float:
    """The share of each text's k nearest that is the same in both, on average."""

    def nearest(each):
        cosines = each @ each.T
        np.fill_diagonal(cosines, -np.inf)
        return np.argpartition(-cosines, k, axis=1)[:, :k]

    pairs = zip(nearest(vectors), nearest(reference), strict=True)
    return float(np.mean([len(set(ours) & set(theirs)) / k for ours, theirs in pairs]))


def instructions() -> str:
    """What the processor has for reduced precision, as Linux names it."""
    path = Path("/proc/cpuinfo")
    flags = set(path.read_text().split()) if path.is_file() else set()
    found = [name for name in ("avx512_bf16", "amx_bf16", "avx512_vnni", "amx_int8") if name in flags]
    return ", ".join(found) or "none that Linux names"


def read_texts(arguments) -> tuple[list[str], str]:
    """The texts, and what they are in words."""
    import pandas as pd

    if arguments.texts:
        column = pd.read_csv(arguments.texts)[arguments.column].dropna().astype(str)
        what = f"column {arguments.column}"
    else:
        from recsys_lib import datasets

        column = datasets.reviews("womens-clothing")["text"]
        column = column[column.str.split().str.len().between(15, 60)]
        what = "Women's Clothing reviews of 15 to 60 words"
    texts = column.head(arguments.n_texts).tolist()
    words = np.mean([len(text.split()) for text in texts])
    return texts, f"{len(texts)} texts, {words:.0f} words on average ({what})"


def main() -> None:
    import pandas as pd  # not in the peer's environment

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", help="a CSV file of your own; then nothing is written to RESULTS.md")
    parser.add_argument("--column", help="its column")
    parser.add_argument("--n-texts", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="of both sides")
    arguments = parser.parse_args()
    if bool(arguments.texts) != bool(arguments.column):
        parser.error("--texts and --column belong together")

    from recsys_lib.encoders.pretrained import model_folder

    texts, what = read_texts(arguments)
    model = model_folder("all-minilm-l6-v2")
    interpreters = {"ours": sys.executable, "theirs": peers.python("sentence-transformers")}
    environment = {"OMP_NUM_THREADS": str(arguments.threads), "TOKENIZERS_PARALLELISM": "false"}
    rounds, difference = [], 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
        for number in range(arguments.rounds):
            found = {}
            for side, interpreter in interpreters.items():
                found |= peers.run(interpreter, Path(__file__), "--worker", side, model, folder, **environment)
            rounds.append(found)
            vectors, theirs = np.load(folder / "ours.npz"), np.load(folder / "theirs.npz")["arr_0"]
            difference = max(difference, float(np.abs(vectors[OURS] - theirs).max()))
            kept = {name: nearest_kept(vectors[name], theirs) for name in REDUCED}  # the same every round
            assert difference <= 1e-4, f"the vectors differ by {difference}"
            print(f"round {number + 1}: {len(texts) / found[OURS]:.0f} texts/s", flush=True)
    clock = "One thread, CPU seconds" if arguments.threads == 1 else f"{arguments.threads} threads, seconds on the wall"
    seconds = pd.DataFrame(rounds)
    speed = len(texts) / seconds
    best = speed.drop(columns=[OURS, PLAIN, *REDUCED]).median().idxmax()
    ratios = speed.div(speed[best], axis=0)
    rows = [
        f"| {key} | {speed[key].median():.0f} | {speed[key].min():.0f} - {speed[key].max():.0f} "
        f"| {ratios[key].median():.2f} | {ratios[key].min():.2f} - {ratios[key].max():.2f} |"
        for key in speed
    ]
    head = f"| | texts a second (median) | range | relative to {best} | range |\n|---|--:|--:|--:|--:|"
    their_versions = peers.versions(interpreters["theirs"], "sentence-transformers", "transformers", "torch")
    text = f"{what}; all-MiniLM-L6-v2, in float32 where nothing else is said. {clock}. "
    text += f"Instructions for reduced precision: {instructions()}.\n"
    text += f"Ours: {peers.versions(sys.executable, 'transformers', 'torch')}. "
    text += f"Peer: {their_versions}.\n\n{head}\n" + "\n".join(rows)
    text += f"\n\nMedians of {arguments.rounds} rounds. Largest difference of the float32 vectors: {difference:.1e}. "
    text += "Of each text's ten nearest among these texts, the same as sentence-transformers': "
    text += "; ".join(f"{REDUCED[name]} {share:.3f}" for name, share in kept.items()) + "."
    default = not arguments.texts and all(
        getattr(arguments, name) == parser.get_default(name) for name in ("n_texts", "rounds", "threads")
    )
    peer = f"{len(texts)} texts", "sentence-transformers"
    summary = [("encoding", *peer, "equal", "", float(ratios[OURS].median()), BAR)]
    for name, share in kept.items():
        quality, faster = f"{share:.3f} of the ten nearest", float(ratios[name].median())
        summary.append((f"encoding, {REDUCED[name]}", *peer, quality, "", faster, REDUCED_BAR))
    peers.publish("Encoding against sentence-transformers", text, write=default, summary=summary)


def worker(side: str, model: str, folder: str) -> None:
    texts = json.loads(Path(folder, "texts.json").read_text(encoding="utf-8"))
    encode = our_side if side == "ours" else their_side
    print(json.dumps(encode(model, texts, Path(folder, f"{side}.npz"))))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(*sys.argv[2:5])
    else:
        main()
