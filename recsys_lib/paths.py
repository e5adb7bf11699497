"""Where the project's files are, in a checkout and in an installed copy."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def repository_root() -> Path | None:
    """The checkout that this package is imported from; None when it is installed."""
    root = _PACKAGE.parent
    return root if (root / "pyproject.toml").is_file() and (root / "data").is_dir() else None


def data_folder() -> Path:
    """The folder `data/`: the repository's, or the copy inside the installed package."""
    root = repository_root()
    return root / "data" if root else _PACKAGE / "_data"
