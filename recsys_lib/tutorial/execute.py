"""Execute notebooks with papermill in this very Python, and compare what they record with what is expected."""

from __future__ import annotations

import base64
import io
import json
import os
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat

from recsys_lib.notebook import read_claims, read_record
from recsys_lib.paths import repository_root

NOT_COMPARED = ("_seconds", "_mb", "_ratio")
RELATIVE, ABSOLUTE = 0.02, 0.002


@dataclass(frozen=True)
class Run:
    """One executed notebook: `seconds`, `node` (None if it failed), `error` ("" if it passed)."""

    path: Path
    seconds: float
    node: nbformat.NotebookNode | None
    error: str = ""


def notebooks(only: str = "") -> list[Path]:
    """The repository's notebooks and then their solutions, in reading order; `only` keeps the numbers that start so."""
    root = repository_root()
    if root is None:
        raise SystemExit(
            "the notebooks are not part of the installed package: run this in a checkout of the repository"
        )
    folder = root / "notebooks"
    return [
        path
        for path in [*sorted(folder.glob("*.ipynb")), *sorted(folder.glob("solutions/*.ipynb"))]
        if path.name.startswith(only)
    ]


def name(path: Path) -> str:
    """`notebooks/solutions/01_x.ipynb` -> "solutions/01_x"."""
    return ("solutions/" if path.parent.name == "solutions" else "") + path.stem


def execute(path: Path, target: Path, *, fast: bool) -> Run:
    """Run one notebook and write the executed copy to `target` when it passed; a failure leaves `target` alone."""
    import papermill

    target.parent.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".run-") as scratch, kernel_environment():
        copy = Path(scratch) / path.name
        try:
            papermill.execute_notebook(
                str(path),
                str(copy),
                parameters={"FAST": True} if fast else {},
                kernel_name="recsys",
                progress_bar=False,
                cwd=str(path.parent),
            )
        except Exception as error:  # whatever a cell raised: the notebook's failure is the result
            return Run(path, time.perf_counter() - started, None, _reason(error))
        node = nbformat.read(copy, as_version=4)
        os.replace(copy, target)
    return Run(path, time.perf_counter() - started, node)


def execute_all(paths: list[Path], folder: Path, *, fast: bool) -> list[Run]:
    """Run them one after the other with a line each; a failure does not stop the rest."""
    runs = []
    for number, path in enumerate(paths, 1):
        print(f"[{number:2d}/{len(paths)}] {name(path):45s}", end=" ", flush=True)
        run = execute(path, folder / f"{name(path)}.ipynb", fast=fast)
        claims = read_claims(run.node) if run.node else []
        held = sum(claim["status"] == "held" for claim in claims)
        status = f"ok, {held} claims hold" if run.node else f"FAILED: {run.error}"
        print(f"{run.seconds:6.1f} s  {status}", flush=True)
        runs.append(run)
    return runs


def compare_metrics(recorded: dict, expected: dict) -> list[str]:
    """Problems in plain words: a figure that is off by more than 2 % and .002, is missing, or is not expected."""
    problems = [f"{key} was not recorded" for key in expected if key not in recorded]
    problems += [f"{key} is not among the expected metrics (make expected)" for key in recorded if key not in expected]
    for key in recorded.keys() & expected.keys():
        off = abs(recorded[key] - expected[key])
        if not key.endswith(NOT_COMPARED) and off > max(RELATIVE * abs(expected[key]), ABSOLUTE):
            problems.append(f"{key} is {recorded[key]:.6g}, expected {expected[key]:.6g}")
    return sorted(problems)


def expected_path() -> Path:
    return repository_root() / "tests" / "expected_metrics.json"


def read_expected() -> dict[str, dict]:
    """Notebook name -> metrics of a FAST run. (Those of a default run are in the committed notebooks themselves.)"""
    return json.loads(expected_path().read_text(encoding="utf-8")) if expected_path().is_file() else {}


def refresh(path: Path, run: Run) -> list[str]:
    """Put an executed notebook's outputs into the committed file; tell which recorded figures moved."""
    before = read_record(nbformat.read(path, as_version=4))
    node = run.node
    for cell in node.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            output.get("data", {}).pop("text/html", None)
            # figures: the metadata says "needs_background" and sizes; they are noise in a diff
            if "image/png" in output.get("data", {}):
                output["metadata"] = {}
                output["data"]["image/png"] = with_palette(output["data"]["image/png"])
    node.cells = [cell for cell in node.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
    node.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    content = nbformat.writes(node) + "\n"
    with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".part", delete=False, encoding="utf-8") as file:
        file.write(content)
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)
    return compare_metrics(read_record(node), before) if before else []


def with_palette(png: str) -> str:
    """A base64 PNG with its colours in a palette of 256: a plot needs no more, and a third of the bytes is enough."""
    from PIL import Image

    with Image.open(io.BytesIO(base64.b64decode(png))) as image:
        if image.mode == "P":
            return png
        small = io.BytesIO()
        image.convert("RGB").quantize(256).save(small, "png", optimize=True)
    return base64.b64encode(small.getvalue()).decode()


@contextmanager
def kernel_environment(python: str = sys.executable):
    """Make kernels run this Python whatever kernelspecs the user has, without bars and with assets of this process."""
    with tempfile.TemporaryDirectory(prefix="recsys-kernel-") as folder:
        spec = Path(folder) / "kernels" / "recsys"
        spec.mkdir(parents=True)
        command = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=50"]
        (spec / "kernel.json").write_text(
            json.dumps({"argv": command, "display_name": "recsys", "language": "python"}), encoding="utf-8"
        )
        changes = {
            "JUPYTER_PATH": os.pathsep.join(filter(None, [folder, os.environ.get("JUPYTER_PATH", "")])),
            "RECSYS_HEADLESS": "1",
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        }
        before = {key: os.environ.get(key) for key in changes}
        os.environ.update(changes)
        try:
            yield
        finally:
            for key, old in before.items():
                if old is None:
                    os.environ.pop(key)
                else:
                    os.environ[key] = old


def _reason(error: Exception) -> str:
    """The failing cell and its error in one line."""
    cell = getattr(error, "exec_count", None)
    where = f"cell [{cell}] " if cell is not None else ""
    what = f"{error.ename}: {error.evalue}" if hasattr(error, "ename") else f"{type(error).__name__}: {error}"
    return " ".join(f"{where}{what}".split())[:300]
