"""The set-up says one thing in all its files: pyproject, constraints, environment, Makefile, CI, READMEs."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from importlib.metadata import packages_distributions

import nbformat
import pytest
import yaml
from IPython.core.inputtransformer2 import TransformerManager
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import recsys_lib
from recsys_lib.paths import repository_root
from recsys_lib.tutorial import execute

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = repository_root()
READMES = ("README.md", "README.zh-CN.md")


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


PROJECT = tomllib.loads(read("pyproject.toml"))["project"]
DECLARED = [
    Requirement(line)
    for group in [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    for line in group
    if not line.startswith("recsys-lib[")
]


def pins():
    lines = [line for line in read("constraints.txt").splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+( ;.*)?", line) for line in lines), "constraints.txt holds exact pins only"
    names = [canonicalize_name(line.split("==")[0]) for line in lines]
    assert [name for name, count in Counter(names).items() if count > 1] == [], "one pin a package"
    return {name: line.split("==")[1].split()[0] for name, line in zip(names, lines, strict=True)}


@pytest.mark.parametrize("requirement", DECLARED, ids=str)
def test_every_dependency_has_a_lower_bound_and_a_pin_that_meets_it(requirement):
    assert [part.operator for part in requirement.specifier] == [">="]
    if requirement.name != "pip":  # comes with every virtual environment
        assert requirement.specifier.contains(pins()[canonicalize_name(requirement.name)])


def test_extras_are_the_ones_that_all_installs():
    extras = PROJECT["optional-dependencies"]
    parts = ",".join(name for name in extras if name not in ("all", "colab"))
    assert {f"recsys-lib[{parts}]"} == set(extras["all"])


def extra(name):
    """The packages that an extra brings, those of the extras that it names included."""
    for line in PROJECT["optional-dependencies"][name]:
        parts = re.fullmatch(r"recsys-lib\[(.+)\]", line)
        yield from (each for part in parts[1].split(",") for each in extra(part)) if parts else [Requirement(line).name]


def imported(source):
    """The packages that a piece of Python imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from ["tensorboard"] if node.module.endswith(".tensorboard") else [node.module.split(".")[0]]


def test_the_extra_for_colab_brings_what_the_notebooks_import_and_no_jupyter():
    files = [path for path in (ROOT / "recsys_lib").rglob("*.py") if "tutorial" not in path.parts]
    sources = [path.read_text(encoding="utf-8") for path in files]
    for path in execute.notebooks():
        cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
        sources += [TransformerManager().transform_cell(cell.source) for cell in cells]
    needed = {name for source in sources for name in imported(source)} - set(sys.stdlib_module_names) - {"recsys_lib"}
    core = [Requirement(line).name for line in PROJECT["dependencies"]]
    brought = {canonicalize_name(name) for name in [*core, *extra("colab")]}
    distributions = packages_distributions()
    missing = {name for name in needed if brought.isdisjoint(map(canonicalize_name, distributions.get(name, [name])))}
    assert missing <= {"huggingface_hub"}  # transformers brings it
    assert not brought & {"jupyterlab", "ipykernel", "papermill", "nbconvert"}


def test_colabs_own_ipython_and_pandas_are_enough():
    """Replacing either under a running Colab breaks it; these are the versions that its image pins."""
    for line in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["colab"]]:
        requirement = Requirement(line)
        if (there := {"ipython": "7.34.0", "pandas": "2.2.2", "numpy": "2.0.2"}.get(requirement.name)) is not None:
            assert requirement.specifier.contains(there), line


def test_torch_is_pinned_as_agreed():
    assert pins()["torch"] == "2.13.0" and pins()["numpy"].startswith("2.") and pins()["transformers"].startswith("5.")


def test_conda_users_get_the_same():
    dependencies = yaml.safe_load(read("environment.yml"))["dependencies"]
    assert {"pip": ["-c constraints.txt", "-e .[all]"]} in dependencies and "pip" in dependencies
    (python,) = [line.split("=")[1] for line in dependencies if str(line).startswith("python=")]
    assert SpecifierSet(PROJECT["requires-python"]).contains(python)


def test_ci_is_make_test_and_nothing_else():
    commands = [line for line in read(".ci/run").splitlines() if line and not line.startswith(("#", "set ", "cd "))]
    assert commands == ["make test"]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_the_makefile_explains_its_targets():
    makefile = read("Makefile")
    phony = set(re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE).group(1).split())
    explained = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    assert phony == explained


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_help_lists_every_target():
    makefile = read("Makefile")
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^ +make ([a-z-]+) +\S", shown, re.MULTILINE)) == set(
        re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE).group(1).split()
    )


@pytest.mark.parametrize("name", READMES)
def test_readme_names_what_is_there(name):
    text, makefile = read(name), read("Makefile")
    targets = set(re.findall(r"(?:^|`)make (?:[A-Z_]+=\S+ )*([a-z-]+)", text, re.MULTILINE))
    assert {"tutorial", "test"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text) + re.findall(r'(?:src|href)="(?!https?:|#)([^"#]+)', text)
    assert any(link.endswith(".png") for link in links)
    for link in links:
        assert (ROOT / link).exists(), link


@pytest.mark.parametrize("name", READMES)
def test_readme_lists_every_notebook(name):
    listed = re.findall(r"^\| (\d\d) \|.*\]\((notebooks/\S+\.ipynb)\)", read(name), re.MULTILINE)
    there = sorted((ROOT / "notebooks").glob("*.ipynb"))
    assert listed == [(path.name[:2], f"notebooks/{path.name}") for path in there]


def test_the_translation_has_the_same_parts():
    english, chinese = map(read, READMES)
    for part in ("^## ", "^```", "^- ", r"^\| ", r"!\["):
        found = [len(re.findall(part, text, re.MULTILINE)) for text in (english, chinese)]
        assert found[0] == found[1], f"{found[0]} and {found[1]} of {part}"
    assert len(re.findall("[\u4e00-\u9fff]", chinese)) > 500
    blocks = [re.findall(r"```(?:python|bash)\n(.*?)```", text, re.DOTALL) for text in (english, chinese)]
    code = [[re.sub(r" *#.*", "", block) for block in each] for each in blocks]
    assert code[0] == code[1] and len(code[0]) >= 3


def test_one_version():
    version = PROJECT["version"]
    assert recsys_lib.__version__ == version
    assert re.search(rf"^version: {re.escape(version)}$", read("CITATION.cff"), re.MULTILINE)
    (released,) = re.findall(r"^date-released: (\S+)$", read("CITATION.cff"), re.MULTILINE)
    assert f"## {version} — {released}\n" in read("CHANGELOG.md")
