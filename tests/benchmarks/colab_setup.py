"""The set-up cell on a machine like Colab's: what it installs, what it leaves alone, and whether notebooks then run.

A clean environment gets what Colab's image holds (older pandas, scikit-learn, transformers and IPython, and a torch and
a numpy that must not be touched). Then notebooks run in it with FAST=True, their set-up cell installing this checkout
instead of the repository's address. The script stops if a file of torch or numpy changed or a notebook failed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import peers
from nbclient import NotebookClient

from recsys_lib import notebook
from recsys_lib.tutorial import execute

# Colab's own packages pin IPython, ipykernel and pandas to exactly these; the rest is what its image held in 2025.
IMAGE = {
    "torch": "2.13.0",
    "numpy": "2.0.2",
    "pandas": "2.2.2",
    "scikit-learn": "1.6.1",
    "transformers": "4.56.2",
    "ipython": "7.34.0",
    "ipykernel": "6.17.1",
}
UNTOUCHED = ("torch", "numpy", "ipython", "ipykernel")  # pandas may rise: river needs 2.2.3


def make(folder: Path) -> Path:
    """A new environment with IMAGE in it; returns its Python."""
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    wanted = [f"{name}=={version}" for name, version in IMAGE.items()]
    subprocess.run([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *wanted], check=True)
    return python


def packages(python: Path) -> dict[str, str]:
    """Every installed package: name -> version."""
    code = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    return json.loads(subprocess.run([str(python), "-c", code], check=True, stdout=subprocess.PIPE, text=True).stdout)


def fingerprint(python: Path, package: str) -> tuple[int, str]:
    """How many files a package has, and one sha256 over their names and contents."""
    code = "import importlib.metadata as m, sys; print('\\n'.join(str(f.locate()) for f in m.files(sys.argv[1])))"
    done = subprocess.run([str(python), "-c", code, package], check=True, stdout=subprocess.PIPE, text=True)
    files = sorted(line for line in done.stdout.splitlines() if not line.endswith(".pyc"))
    digest = hashlib.sha256()
    for name in files:
        digest.update(name.encode() + Path(name).read_bytes())
    return len(files), digest.hexdigest()


def run(python: Path, path: Path, cell: str) -> float:
    """Run one notebook with FAST=True in a folder of its own, with `cell` for its set-up; returns the seconds."""
    node = nbformat.read(path, as_version=4)
    code = [index for index, each in enumerate(node.cells) if each.cell_type == "code"]
    node.cells[code[0]].source = cell
    node.cells.insert(code[1] + 1, nbformat.v4.new_code_cell("FAST = True"))
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, execute.kernel_environment(str(python)):
        resources = {"metadata": {"path": folder}}
        NotebookClient(node, kernel_name="recsys", resources=resources, timeout=1800).execute()
    return time.perf_counter() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="00", help="notebooks whose name starts so; empty: all, with their solutions")
    arguments = parser.parse_args()
    os.environ.pop("PYTHONPATH", None)  # the kernel shall find the library where the cell installed it, or not at all
    python = make(peers.ROOT / "build" / "colab")
    before = packages(python)
    prints = {name: fingerprint(python, name) for name in UNTOUCHED}
    cell = notebook.setup_cell().replace(f"git+{notebook.repository()}", peers.ROOT.as_uri())
    seconds = {execute.name(path): run(python, path, cell) for path in execute.notebooks(arguments.only)}
    after = packages(python)
    changed = [name for name in UNTOUCHED if fingerprint(python, name) != prints[name]]
    rows = [
        f"| {name} | {before[name]} | {after[name]} | {'changed' if name in changed else 'the same'} |"
        for name in UNTOUCHED
    ]
    upgraded = [f"{n} {before[n]} → {after[n]}" for n in sorted(before) if before[n] != after.get(n)]
    runs = "\n".join(f"| {name} | {s:.0f} |" for name, s in seconds.items())
    peers.publish(
        "The set-up cell in an environment like Colab's",
        "| package | before | after | its files |\n|---|---|---|---|\n" + "\n".join(rows) + "\n\n"
        f"Upgraded: {', '.join(upgraded) or 'nothing'}. Added: {len(after) - len(before)} packages.\n\n"
        f"| notebook, FAST (the first one installs) | seconds |\n|---|---|\n{runs}",
    )
    return int(bool(changed))


if __name__ == "__main__":
    sys.exit(main())
