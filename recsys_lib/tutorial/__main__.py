"""python -m recsys_lib.tutorial: run the tutorial, build its site, and bring what is committed up to date."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from recsys_lib.notebook import read_record
from recsys_lib.paths import repository_root
from recsys_lib.tutorial import execute, findings, site, stamp

COMMANDS = {
    "run": "execute every notebook into build/notebooks, build the site, print the headline table (the default)",
    "site": "build the site from the notebooks that were executed last",
    "refresh": "execute the committed notebooks in place",
    "readme": "fill the READMEs' figures from the committed notebooks",
    "expected": "record the metrics of a FAST run in tests/expected_metrics.json",
    "colab": "set-up cells, Colab badges and addresses as pyproject says; --repository owner/name changes that",
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m recsys_lib.tutorial",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(f"{command:10s} {what}" for command, what in COMMANDS.items()),
    )
    parser.add_argument("command", nargs="?", default="run", choices=COMMANDS)
    parser.add_argument("--fast", action="store_true", help="small sizes: every notebook in under 30 seconds")
    parser.add_argument("--only", default="", help="notebooks whose name starts so, for instance 02")
    parser.add_argument("--repository", metavar="OWNER/NAME", help="colab: the repository on GitHub")
    arguments = parser.parse_args()
    if arguments.command in ("colab", "readme"):
        return _tell(stamp.stamp(arguments.repository) if arguments.command == "colab" else findings.update())
    paths = execute.notebooks(arguments.only)
    if not paths:
        parser.error(f"no notebook starts with {arguments.only!r}")
    build = repository_root() / "build"
    return {"run": _run, "site": _site, "refresh": _refresh, "expected": _expected}[arguments.command](
        paths, build, arguments.fast
    )


def _run(paths, build: Path, fast: bool) -> int:
    runs = execute.execute_all(paths, build / "notebooks", fast=fast)
    failed = [run for run in runs if run.node is None]
    for run in [] if fast else [run for run in runs if run.node]:
        committed = read_record(execute.nbformat.read(run.path, as_version=4))
        for problem in execute.compare_metrics(read_record(run.node), committed):
            print(f"note: {execute.name(run.path)} differs from its committed outputs: {problem}")
    if not failed:
        _site(paths, build, fast)
    print(f"{len(runs) - len(failed)} of {len(runs)} notebooks passed in {sum(run.seconds for run in runs):.0f} s")
    return int(bool(failed))


def _site(paths, build: Path, fast: bool) -> int:
    executed = [build / "notebooks" / f"{execute.name(path)}.ipynb" for path in execute.notebooks()]
    missing = [path for path in executed if not path.is_file()]
    if missing:
        print(f"no site: {len(missing)} notebooks were not executed yet, {execute.name(missing[0])} is the first")
        return 1
    root = repository_root()
    documents = [root / "docs" / "glossary.md", root / "docs" / "reading.md", root / "data" / "README.md"]
    # a FAST run leaves some claims out
    found = findings.render(execute.notebooks() if fast else executed, findings.READMES["README.md"])
    index = site.build(executed, build / "site", documents, found)
    print("\n" + site.headline(executed) + "\n")
    print(f"site: {index.relative_to(root)}")
    return 0


def _refresh(paths, build: Path, fast: bool) -> int:
    runs = execute.execute_all(paths, build / "refresh", fast=False)
    for run in [run for run in runs if run.node]:
        for change in execute.refresh(run.path, run):
            print(f"changed in {execute.name(run.path)}: {change}")
    _tell(findings.update())
    return int(any(run.node is None for run in runs))


def _expected(paths, build: Path, fast: bool) -> int:
    runs = execute.execute_all(paths, build / "fast", fast=True)
    expected = execute.read_expected()
    names = {execute.name(path) for path in execute.notebooks()}
    expected = {name: metrics for name, metrics in expected.items() if name in names}
    for run in [run for run in runs if run.node]:
        expected[execute.name(run.path)] = {key: float(f"{v:.6g}") for key, v in read_record(run.node).items()}
    execute.expected_path().write_text(json.dumps(dict(sorted(expected.items())), indent=1) + "\n", encoding="utf-8")
    return int(any(run.node is None for run in runs))


def _tell(changed: list[Path]) -> int:
    for path in changed:
        print(f"changed {path.relative_to(repository_root())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
