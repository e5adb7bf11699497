"""The thinned data of text-gain: what was thinned out is neither known nor wanted, and in no list."""

import pytest

from recsys_lib.experiments import text_gain


@pytest.mark.data
def test_what_was_thinned_out_is_masked_and_in_no_test():
    (whole, test, _), _ = text_gain._data("A", 1.0, 0)
    sparse = text_gain._data("A", 0.25, 0)
    assert sparse[0][0].matrix.nnz < 0.3 * whole.matrix.nnz
    # outside: train, thinned rows and test are all ratings; inside, all rows of the training part
    for (train, held_out, seen), rows in zip(sparse, (whole.matrix + test.matrix, whole.matrix), strict=True):
        assert train.matrix.multiply(seen.matrix).nnz == train.matrix.nnz
        assert held_out.matrix.multiply(seen.matrix).nnz == 0
        assert held_out.matrix.nnz + seen.matrix.nnz == rows.nnz
