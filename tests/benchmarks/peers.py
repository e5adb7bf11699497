"""Virtual environments of the peers, worker processes in them, and the file that results are written to."""

from __future__ import annotations

import datetime
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Only the peers are pinned: each brings the NumPy and SciPy that its release and this Python ask for, and
# RESULTS.md states which those were. LensKit's EASE needs SciPy 1.17, which has no wheel below Python 3.11.
PINS = {
    "implicit": ["implicit==0.7.3"],
    "rectools": ["rectools==0.19.0"],
    # the same torch and transformers as ours: only what is around the model differs
    "sentence-transformers": ["sentence-transformers==6.2.0", "torch==2.13.0", "transformers==5.20.2"],
    "pyversity": ["pyversity==0.2.0"],
    "tensorflow": ["tensorflow-cpu==2.21.0"],
    "cornac": ["cornac==3.0.1"],
    "ranx": ["ranx==0.3.21"],
    "recommenders": ["recommenders==1.2.1", "numpy<2"],
    "lenskit": ["lenskit==2025.8.1", "torch==2.13.0", "scipy>=1.17"],
}


def python(name: str) -> Path:
    """The Python of the peer's environment under build/peers/, made and filled the first time.

    A ValueError says which installation failed; an environment that was cut off is made anew.
    """
    folder = ROOT / "build" / "peers" / name
    binary = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    done = folder / ".installed"
    wanted = " ".join(PINS[name])
    if done.is_file() and done.read_text(encoding="utf-8") == wanted:
        return binary
    print(f"installing {wanted} into an environment of its own (once) ...", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    command = [str(binary), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--prefer-binary"]
    if os.environ.get("TORCH_INDEX"):
        command += ["--extra-index-url", os.environ["TORCH_INDEX"]]
    installed = subprocess.run([*command, *PINS[name]], stderr=subprocess.PIPE, text=True)
    if installed.returncode:
        last = (installed.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise ValueError(
            f"pip cannot install {wanted} for Python {sys.version_info.major}.{sys.version_info.minor}: {last}. "
            "Run this script with another Python, or change PINS in tests/benchmarks/peers.py"
        )
    done.write_text(wanted, encoding="utf-8")
    return binary


def run(interpreter: Path | str, script: Path, *arguments, **environment: str) -> dict:
    """Run a worker script and read the JSON object that it prints last."""
    command = [str(interpreter), str(script), *map(str, arguments)]
    done = subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONWARNINGS": "ignore", **environment},  # the peers' deprecations
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def versions(interpreter: Path | str, *packages: str) -> str:
    """Installed versions in words, for instance "implicit 0.7.3, numpy 2.4.6, Python 3.11.9"."""
    code = (
        "import importlib.metadata as m, platform, sys;"
        "print(', '.join([f'{p} {m.version(p)}' for p in sys.argv[1:]] + [f'Python {platform.python_version()}']))"
    )
    done = subprocess.run([str(interpreter), "-c", code, *packages], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


def peak_memory_gb() -> float:
    """The most memory that this process held, in GB (2^30 bytes)."""
    status = Path("/proc/self/status")
    if status.is_file():
        # Not ru_maxrss: on Linux a child starts with its parent's value, here that of the process with the data.
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text()).group(1)) / 2**20
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**30


SUMMARY = "In one table"


def publish(title: str, text: str, *, write: bool = True, summary: list[tuple] = ()) -> None:
    """Print a section and put it into RESULTS.md in place of its earlier version (`write=False`: only print).

    `summary` holds the rows that the section adds to the table of all peers: (task, data, peer, our quality, the
    peer's, times faster, bar). They are kept in summary.json, from which that table is made anew.
    """
    section = f"## {title}\n\n{datetime.date.today()}, {os.cpu_count()} CPU cores.\n\n{text.strip()}\n"
    print(section)
    if not write:
        print("Not written to RESULTS.md: the sizes are not the default ones.")
        return
    put(title, section)
    if summary:
        put(SUMMARY, one_table(title, summary))


def one_table(title: str, rows: list[tuple]) -> str:
    """The section of all peers, with these rows in place of the earlier ones of `title`."""
    kept = Path(__file__).with_name("summary.json")
    every = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
    every[title] = {"date": str(datetime.date.today()), "rows": [list(row) for row in rows]}
    kept.write_text(json.dumps(every, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    head = ("task", "data", "peer", "quality, ours", "peer's", "times faster", "bar", "date", "section")
    lines = [f"## {SUMMARY}\n", f"| {' | '.join(head)} |", "|---|---|---|--:|--:|--:|--:|---|---|"]
    for section, found in every.items():
        link = f"[{section}](#{section.lower().replace(' ', '-')})"
        for *names, quality, theirs, faster, bar in found["rows"]:
            numbers = f"{quality} | {theirs} | **{faster:.2f}** | {bar}"
            lines.append(f"| {' | '.join(names)} | {numbers} | {found['date']} | {link} |")
    return "\n".join(lines) + "\n"


def put(title: str, section: str) -> None:
    """Into RESULTS.md: in place of the section of this title, else at the end; the table of all peers first."""
    path = Path(__file__).with_name("RESULTS.md")
    head = "# Results\n\nWritten by the scripts beside this file.\n"
    before = path.read_text(encoding="utf-8") if path.is_file() else head
    if title == SUMMARY and f"## {SUMMARY}\n" not in before:
        before = before.replace(head, f"{head}\n## {SUMMARY}\n", 1)
    pattern = re.compile(rf"## {re.escape(title)}\n.*?(?=\n## |\Z)", re.DOTALL)
    after = pattern.sub(lambda _: section, before) if pattern.search(before) else f"{before.rstrip()}\n\n{section}"
    path.write_text(after, encoding="utf-8")
