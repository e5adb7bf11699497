"""musicnn in torch against its own TensorFlow graph: largest differences, and the fixture that the tests compare with.

    python tests/benchmarks/musicnn_reference.py      # a minute, after TensorFlow is installed

The clips are made by tests/clips.py. Our front end cuts them into log-mel patches; both networks read the same ones.
TensorFlow's side is the graph that lies beside the checkpoint, cut down to what its answers need, and not the musicnn
package, whose pins can no longer be installed. The script stops if two activations differ by more than 1e-3, and
writes TensorFlow's to tests/fixtures/musicnn_reference.npz.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import peers

FIXTURE = peers.ROOT / "tests" / "fixtures" / "musicnn_reference.npz"
PENULTIMATE, LOGITS = "model/batch_normalization_10/batchnorm/add_1", "model/dense_1/BiasAdd"
PATCHES, TRAINING = "model/Placeholder", "model/Placeholder_2"
TOLERANCE = 1e-3


def their_side(checkpoint: str, patches: Path, answers: Path) -> dict:
    """In TensorFlow's environment: penultimate layer and logits of each patch, one at a time as the package does."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    tf1 = tf.compat.v1
    tf1.disable_eager_execution()
    meta = tf1.MetaGraphDef()
    meta.ParseFromString(Path(f"{checkpoint}.meta").read_bytes())
    # the gradients, which nothing here needs, are what today's TensorFlow rejects
    wanted = [PENULTIMATE, LOGITS, meta.saver_def.restore_op_name]
    restores = [node for node in meta.graph_def.node if node.name.startswith("save/")]
    needed = tf1.graph_util.extract_sub_graph(meta.graph_def, [*wanted[:2], *(node.name for node in restores)])
    del meta.graph_def.node[:]
    meta.graph_def.node.extend(needed.node)
    tf1.import_graph_def(meta.graph_def, name="")
    found = []
    with tf1.Session() as session:
        session.run(meta.saver_def.restore_op_name, {meta.saver_def.filename_tensor_name: checkpoint})
        for patch in np.load(patches):
            feed = {f"{PATCHES}:0": patch[None], f"{TRAINING}:0": False}
            found.append(session.run([f"{PENULTIMATE}:0", f"{LOGITS}:0"], feed))
    np.savez(answers, penultimate=np.concatenate([a for a, _ in found]), logits=np.concatenate([b for _, b in found]))
    return {}


def main() -> None:
    import torch

    sys.path.insert(0, str(peers.ROOT / "tests"))
    from clips import clips

    from recsys_lib import assets
    from recsys_lib.encoders import musicnn, sound

    folder = assets.fetch("musicnn")
    made = clips()
    patches = [musicnn.patches(sound.mono(*clip, musicnn.RATE)) for clip in as_arguments(made)]
    network = musicnn.load(folder)
    with tempfile.TemporaryDirectory() as name:
        np.save(Path(name, "patches.npy"), np.concatenate(patches))
        python = peers.python("tensorflow")
        peers.run(python, Path(__file__), "--worker", f"{folder}/MTT_musicnn/", *(Path(name, f) for f in FILES))
        theirs = dict(np.load(Path(name, FILES[1])))
    with torch.inference_mode():
        penultimate = network(torch.from_numpy(np.concatenate(patches)))
        ours = {"penultimate": penultimate.numpy(), "logits": network.tags(penultimate).numpy()}
    owner = np.repeat(np.arange(len(made)), [len(part) for part in patches])
    rows = []
    for number, clip in enumerate(made):
        off = {key: np.abs(ours[key] - theirs[key])[owner == number].max() for key in ours}
        largest = np.abs(theirs["penultimate"][owner == number]).max()
        rows.append(
            f"| {clip} | {len(patches[number])} | {off['penultimate']:.1e} | {largest:.1f} | {off['logits']:.1e} |"
        )
        assert max(off.values()) <= TOLERANCE, f"{clip} differs by {off}"
    spectra = np.stack([part.mean(axis=(0, 1)) for part in patches])
    np.savez_compressed(FIXTURE, names=list(made), owner=owner, spectra=spectra.astype(np.float32), **theirs)
    head = "| clip | patches | penultimate, largest difference | largest value | logits, largest difference |"
    text = f"Ours: {peers.versions(sys.executable, 'torch', 'librosa', 'numpy')}. "
    text += f"TensorFlow's: {peers.versions(python, 'tensorflow-cpu', 'numpy')}.\n\n"
    text += f"{head}\n|---|--:|--:|--:|--:|\n" + "\n".join(rows)
    peers.publish("musicnn against its TensorFlow graph", text)


FILES = ("patches.npy", "answers.npz")


def as_arguments(made):
    return [(samples, row, rate) for row, (samples, rate) in enumerate(made.values())]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        print(json.dumps(their_side(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))))
    else:
        main()
