"""Every notebook and solution runs with FAST=True, and records what tests/expected_metrics.json says."""

import warnings

import pytest

from recsys_lib.notebook import read_claims, read_record
from recsys_lib.tutorial import execute

LIMIT_SECONDS = 30


@pytest.mark.notebooks
@pytest.mark.parametrize("path", execute.notebooks(), ids=execute.name)
def test_fast_run(path, tmp_path):
    run = execute.execute(path, tmp_path / path.name, fast=True)
    assert run.node is not None, f"{execute.name(path)} failed: {run.error}"
    assert execute.compare_metrics(read_record(run.node), execute.read_expected().get(execute.name(path), {})) == []
    if path.parent.name != "solutions":
        assert sum(claim["status"] == "held" for claim in read_claims(run.node)) >= 2
    if run.seconds > LIMIT_SECONDS:
        warnings.warn(
            f"{execute.name(path)} took {run.seconds:.0f} s in FAST, the limit is {LIMIT_SECONDS}", stacklevel=1
        )
    assert run.seconds < 3 * LIMIT_SECONDS


@pytest.mark.notebooks
def test_no_expectation_is_left_over():
    assert set(execute.read_expected()) <= {execute.name(path) for path in execute.notebooks()}
