"""What notebooks share: a setup line, claims that can fail, a record of the results, and quiet progress bars."""

from __future__ import annotations

import math
import os
import platform
import re
import sys
import warnings
from importlib.metadata import PackageNotFoundError, metadata, version
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from recsys_lib.paths import repository_root

GPU_PLACES = ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg", "/dev/kfd")  # the last two: WSL, AMD


class ClaimFailed(AssertionError):
    """A notebook's conclusion does not hold on the numbers that it has just computed."""


def repository() -> str:
    """The repository's address, from the package's metadata (pyproject is the one place where it stands)."""
    root = repository_root()
    if root:
        found = re.search(r'^Repository = "(.+)"$', (root / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
        return found.group(1)
    links = metadata("recsys-lib").get_all("Project-URL") or []
    return next(link.split(", ")[1] for link in links if link.startswith("Repository"))


def badge(path: str | Path) -> str:
    """The Colab badge of a notebook, `path` relative to the repository's root."""
    slug = repository().removeprefix("https://github.com/")
    address = f"https://colab.research.google.com/github/{slug}/blob/main/{Path(path).as_posix()}"
    return f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({address})"


def setup_cell() -> str:
    """The first code cell of every notebook: installs the library where it is missing (Colab), then `setup()`.

    Naming the torch and numpy that are there, with their exact versions, makes pip keep them or say why it cannot.
    """
    return (
        "try:\n"
        "    from recsys_lib import notebook\n"
        "except ModuleNotFoundError:  # on Colab: adds what is missing, leaves Colab's own torch and numpy alone\n"
        "    from importlib.metadata import distributions\n"
        "\n"
        '    keep = " ".join(f"{d.name}=={d.version}" for d in distributions() if d.name in ("torch", "numpy"))\n'
        f'    %pip install -q "recsys-lib[colab] @ git+{repository()}" {{keep}}\n'
        "    from recsys_lib import notebook\n"
        "\n"
        "notebook.setup()"
    )


def setup() -> None:
    """Print versions and the device, and set the figures' style."""
    # Before torch is loaded: compiled re-ranking gives torch's OpenMP more threads, which spin while they wait and make
    # small models many times slower on a busy machine. Now they sleep.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from recsys_lib import __version__, plotting

    plotting.style()
    warnings.filterwarnings("ignore", message="IProgress not found")  # tqdm's advice; committed outputs have no widgets
    pd.set_option("display.width", 125, "display.max_columns", 20, "display.max_colwidth", 60)
    # The versions are read from the packages' metadata: importing torch takes seconds, and not every notebook needs it.
    packages = ", ".join(f"{name} {_version(name)}" for name in ("numpy", "pandas", "torch", "transformers"))
    print(f"recsys_lib {__version__} on Python {platform.python_version()}, {packages}")
    print(f"device: {device()}")


def device() -> str:
    """The name of the GPU that torch would use, or "CPU"."""
    if sys.platform == "linux" and not any(Path(place).exists() for place in GPU_PLACES):
        return "CPU"  # known without the seconds that importing torch takes
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else "CPU"


def claim(text: str, condition, value=None, interval=None, *, needs_default: bool = False) -> None:
    """State a conclusion together with its evidence; the notebook stops here if it is false.

    Parameters
    ----------
    text : str
        The conclusion, a sentence.
    condition : bool
        Whether it holds, computed from this run's numbers.
    value : float, optional
        The figure behind it.
    interval : (low, high), optional
        Its 95 % interval.
    needs_default : bool
        The evidence takes the default size: under FAST the claim is printed as not tested.

    Raises
    ------
    ClaimFailed
        If the condition is false, or a figure is NaN.
    """
    if not isinstance(condition, bool | np.bool_):
        raise TypeError(f"the condition of a claim must be True or False, not {condition!r}")
    if interval is not None:
        interval = list(interval)
        if len(interval) != 2:
            raise ValueError(f"the interval of a claim is (low, high), not {interval}")
    figures = [float(figure) for figure in ([] if value is None else [value]) + (interval or [])]
    shown = "" if value is None else f": {_short(value)}"
    shown += "" if interval is None else f" [{_short(interval[0])}, {_short(interval[1])}]"
    evidence = {"text": text, "value": value, "low": None, "high": None}
    if interval is not None:
        evidence.update(low=interval[0], high=interval[1])
    if needs_default and fast():
        _show(f"○ {text}: not tested in FAST", "recsys_claim", {**evidence, "status": "not tested"})
        return
    if not condition or any(math.isnan(figure) for figure in figures):
        raise ClaimFailed(f"this does not hold: {text}{shown}")
    _show(f"✔ {text}{shown}", "recsys_claim", {**evidence, "status": "held"})


def record(figures: dict) -> None:
    """Show the notebook's results and keep them in the output's metadata, where tests and the site read them.

    Names that end in `_seconds`, `_mb` or `_ratio` are shown but not compared between machines.
    """
    if not figures:
        raise ValueError("record takes at least one named figure")
    for name, figure in figures.items():
        if isinstance(figure, bool) or not isinstance(figure, int | float | np.number) or not math.isfinite(figure):
            raise ValueError(f"record takes finite numbers, but {name!r} is {figure!r}")
    width = max(map(len, figures))
    text = "\n".join(f"{name:<{width}}  {_short(figure)}" for name, figure in figures.items())
    _show(text, "recsys_record", {name: float(figure) for name, figure in figures.items()})


def progress(iterable, desc: str = "", total: int | None = None):
    """A progress bar that a reader sees while he waits, and that leaves nothing in the committed notebook."""
    # The pipeline sets RECSYS_HEADLESS: what a bar draws would stay in the executed notebook's output.
    return tqdm(iterable, desc=desc, total=total, leave=False, disable=bool(os.environ.get("RECSYS_HEADLESS")))


def fast() -> bool:
    """Whether the running notebook's parameter FAST is set."""
    from IPython import get_ipython

    shell = get_ipython()
    return bool(shell is not None and shell.user_ns.get("FAST", False))


def read_record(node) -> dict[str, float]:
    """The figures that an executed notebook recorded (the last record wins)."""
    found = {}
    for output in _outputs(node):
        found.update(output.get("metadata", {}).get("recsys_record", {}))
    return found


def read_claims(node) -> list[dict]:
    """The claims of an executed notebook: text, value, low, high, status ("held" or "not tested")."""
    return [
        output["metadata"]["recsys_claim"] for output in _outputs(node) if "recsys_claim" in output.get("metadata", {})
    ]


def _outputs(node):
    return (output for cell in node.cells if cell.cell_type == "code" for output in cell.outputs)


def _show(text: str, key: str, payload: dict) -> None:
    from IPython.display import display

    plain = {name: float(item) if isinstance(item, np.number) else item for name, item in payload.items()}
    display({"text/plain": text}, raw=True, metadata={key: plain})


def _short(figure) -> str:
    figure = float(figure)
    if not math.isfinite(figure):
        return str(figure)
    if figure == int(figure) and abs(figure) < 1e9:
        return f"{int(figure):,}"
    return f"{figure:,.1f}" if abs(figure) >= 100 else f"{figure:.4g}"


def _version(package: str) -> str:
    try:
        return version(package).split("+")[0]
    except PackageNotFoundError:
        return "missing"
