"""The set-up says one thing in all its files: pyproject, constraints, environment, Makefile, CI, READMEs."""

import re
import sys

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import recsys_lib
from recsys_lib.paths import repository_root

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
    return {canonicalize_name(line.split("==")[0]): line.split("==")[1].split()[0] for line in lines}


@pytest.mark.parametrize("requirement", DECLARED, ids=str)
def test_every_dependency_has_a_lower_bound_and_a_pin_that_meets_it(requirement):
    assert [part.operator for part in requirement.specifier] == [">="]
    if requirement.name != "pip":  # comes with every virtual environment
        assert requirement.specifier.contains(pins()[canonicalize_name(requirement.name)])


def test_torch_is_pinned_as_agreed():
    assert pins()["torch"] == "2.13.0" and pins()["numpy"].startswith("2.") and pins()["transformers"].startswith("5.")


def test_conda_users_get_the_same():
    dependencies = yaml.safe_load(read("environment.yml"))["dependencies"]
    assert {"pip": ["-c constraints.txt", "-e .[all]"]} in dependencies and "pip" in dependencies


def test_ci_is_make_test_and_nothing_else():
    commands = [line for line in read(".ci/run").splitlines() if line and not line.startswith(("#", "set ", "cd "))]
    assert commands == ["make test"]


def test_the_makefile_explains_its_targets():
    makefile = read("Makefile")
    phony = set(re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE).group(1).split())
    explained = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    assert phony == explained


@pytest.mark.parametrize("name", READMES)
def test_readme_names_what_is_there(name):
    text, makefile = read(name), read("Makefile")
    for target in re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (ROOT / link).exists(), link


def test_the_translation_has_the_same_parts():
    english, chinese = map(read, READMES)
    assert len(re.findall("^## ", english, re.MULTILINE)) == len(re.findall("^## ", chinese, re.MULTILINE))
    blocks = [re.findall(r"```(?:python|bash)\n(.*?)```", text, re.DOTALL) for text in (english, chinese)]
    code = [[re.sub(r" *#.*", "", block) for block in each] for each in blocks]
    assert code[0] == code[1] and len(code[0]) >= 3


def test_one_version():
    version = PROJECT["version"]
    assert recsys_lib.__version__ == version
    assert re.search(rf"^version: {re.escape(version)}$", read("CITATION.cff"), re.MULTILINE)
    assert f"## {version} " in read("CHANGELOG.md")
