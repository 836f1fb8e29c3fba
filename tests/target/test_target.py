"""A target with more samples behind it, and as neighbours vote on it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skscale._target.encoding import encode_classes, encode_known, encode_target
from skscale._target.target import Target

TARGETS = {
    "one quantity": np.array([0.5, 1.5, -2.0, 7.25, 0.0]),
    "two quantities": np.arange(10.0).reshape(5, 2) / 4,
    "two classes": np.array(["a", "b", "b", "a", "b"]),
    "three classes": np.array([3, 1, 2, 3, 1]),
}


@pytest.mark.parametrize("is_column", [False, True])
@pytest.mark.parametrize("kind", TARGETS)
def test_a_target_followed_by_another_is_that_of_all_samples(kind, is_column):
    y, first = TARGETS[kind], encode_target(TARGETS[kind])
    if first.is_classification:
        second = encode_known(y[1:3], first.encoding.classes)
        expected = encode_target(y[[0, 1, 2, 3, 4, 1, 2]])
    else:
        second = encode_target(-y)
        # Samples that are held out may have come as a column.
        second = replace(second, y=second.y.reshape(5, -1) if is_column else second.y)
        expected = encode_target(np.concatenate([y, -y]))
    joined = first.followed_by(second)
    for name in ("values", "codes", "y"):
        assert_array_equal(getattr(joined, name), getattr(expected, name), err_msg=name)
    assert joined.encoding is first.encoding
    assert joined.is_given
    assert not Target(joined.values).is_given


def test_neighbours_vote_on_a_column_for_each_class():
    two, three = encode_classes(TARGETS["two classes"]), encode_classes(TARGETS["three classes"])
    assert_array_equal(two.votes, np.eye(2)[two.codes])
    assert_array_equal(three.votes, np.eye(3)[three.codes])
    quantities = encode_target(TARGETS["two quantities"])
    assert_array_equal(quantities.votes, TARGETS["two quantities"])
