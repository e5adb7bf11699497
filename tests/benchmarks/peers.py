"""Virtual environments of the peers, and the file that benchmark results are written to."""

from __future__ import annotations

import datetime
import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PINS = {"implicit": ["implicit==0.7.3"], "rectools": ["rectools==0.19.0"]}


def python(name: str) -> Path:
    """The Python of the peer's environment under build/peers/, made and filled the first time."""
    folder = ROOT / "build" / "peers" / name
    binary = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not binary.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(binary), "-m", "pip", "install", "--quiet", *PINS[name]], check=True)
    return binary


def run(interpreter: Path | str, script: Path, *arguments) -> dict:
    """Run a worker script and read the JSON object that it prints last."""
    command = [str(interpreter), str(script), *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    return json.loads(done.stdout.strip().splitlines()[-1])


def publish(title: str, text: str) -> None:
    """Print a section and put it into RESULTS.md in place of its earlier version."""
    path = Path(__file__).with_name("RESULTS.md")
    before = (
        path.read_text(encoding="utf-8")
        if path.is_file()
        else "# Results\n\nWritten by the scripts beside this file.\n"
    )
    section = f"## {title}\n\n{datetime.date.today()}, {os.cpu_count()} CPU cores.\n\n{text.strip()}\n"
    pattern = re.compile(rf"## {re.escape(title)}\n.*?(?=\n## |\Z)", re.DOTALL)
    after = pattern.sub(lambda _: section, before) if pattern.search(before) else f"{before.rstrip()}\n\n{section}"
    path.write_text(after, encoding="utf-8")
    print(section)
