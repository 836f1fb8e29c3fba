"""What happens in processes in which TensorFlow cannot be used: a sentence, and never a hang."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_array_equal
from user_layers import Bilinear

from skscale import LearnedScaleClassifier, LearnedScaleRegressor, LearnedScaleTransformer

DATA = """
import os, pickle, signal, sys
import numpy as np
import skscale
from skscale import LearnedScaleClassifier, LearnedScaleRegressor, LearnedScaleTransformer

X = np.random.default_rng(0).normal(size=(40, 3))
y = X[:, 0]
quick = {"hidden_layer_sizes": (4,), "epochs": 2, "scale_regularizer": None, "random_state": 0}

def refusals():
    # An option whose check builds a variable, too.
    for options in (quick, {**quick, "optimizer": "sgd"}):
        regressor, classifier = LearnedScaleRegressor(**options), LearnedScaleClassifier(**options)
        for call in (
            lambda: regressor.fit(X, y),
            lambda: regressor.set_params(scale_regularizer="auto").fit(X, y),
            lambda: regressor.partial_fit(X, y),
            lambda: classifier.fit(X, y > 0),
            lambda: classifier.partial_fit(X, y > 0, classes=[False, True]),
            lambda: LearnedScaleTransformer(**options).fit(X, y),
            lambda: LearnedScaleTransformer(**options).partial_fit(X, y),
        ):
            try:
                call()
            except RuntimeError as error:
                print(error)
        # There is nothing to train.
        LearnedScaleTransformer(**options).fit(X)
"""
N_REFUSALS = 14

X = np.random.default_rng(0).normal(size=(40, 3))
QUICK = {"hidden_layer_sizes": (4,), "epochs": 2, "scale_regularizer": None, "random_state": 0}


OUTSIDE = r"^A TensorFlow graph is being built here, .* Call it outside of the graph\."


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("optimizer", ["auto", "sgd"])
def test_inside_of_a_graph_nothing_is_fitted(method, optimizer):
    with tf.Graph().as_default():
        for cls in (LearnedScaleRegressor, LearnedScaleTransformer):
            with pytest.raises(RuntimeError, match=OUTSIDE):
                getattr(cls(**QUICK, optimizer=optimizer), method)(X, X[:, 0])
        # There is nothing to train.
        LearnedScaleTransformer(**QUICK, optimizer=optimizer).fit(X)


def test_inside_of_a_graph_layers_that_only_keras_runs_predict_nothing():
    model = LearnedScaleRegressor(**QUICK, network=Bilinear(1)).fit(X, X[:, 0])
    expected = model.predict(X)
    with tf.Graph().as_default(), pytest.raises(RuntimeError, match=OUTSIDE):
        model.predict(X)
    assert_array_equal(model.predict(X), expected)


def test_a_function_of_tensorflow_fits_nothing():
    @tf.autograph.experimental.do_not_convert
    def fit_and_predict():
        return tf.constant(LearnedScaleRegressor(**QUICK).fit(X, X[:, 0]).predict(X))

    with pytest.raises(RuntimeError, match=OUTSIDE):
        tf.function(fit_and_predict)()


# The backend need not be installed: it is refused before Keras is imported.
OTHER_BACKEND = (
    "import os; os.environ['KERAS_BACKEND'] = 'jax'\n"
    + DATA
    + """
for model, expected in pickle.load(open(sys.argv[1], "rb")):
    method = model.predict if hasattr(model, "predict") else model.transform
    assert (method(X) == expected).all()
refusals()
assert not {"keras", "tensorflow"} & set(sys.modules)
"""
)


@pytest.mark.slow
def test_under_another_backend_estimators_load_and_predict_but_do_not_fit(run_python, tmp_path):
    regressor = LearnedScaleRegressor(**QUICK).fit(X, X[:, 0])
    classifier = LearnedScaleClassifier(**QUICK).fit(X, X[:, 0] > 0)
    transformer = LearnedScaleTransformer(**QUICK).fit(X, X[:, 0])
    models = [
        (regressor, regressor.predict(X)),
        (classifier, classifier.predict(X)),
        (transformer, transformer.transform(X)),
    ]
    (tmp_path / "models").write_bytes(pickle.dumps(models))
    said = run_python(OTHER_BACKEND, str(tmp_path / "models")).splitlines()
    assert len(said) == N_REFUSALS
    assert all("'jax', by KERAS_BACKEND" in line for line in said)


FORKS = (
    DATA
    + """
def in_fork(function):
    pid = os.fork()
    if pid == 0:
        # A child that hangs is ended by it.
        signal.alarm(100)
        try:
            function()
        except BaseException as error:
            print(repr(error))
        sys.stdout.flush()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0

def child():
    # TensorFlow starts here, so that here it runs.
    model = LearnedScaleRegressor(**quick).fit(X, y)
    expected = model.predict(X)

    def grandchild():
        refusals()
        assert (model.predict(X) == expected).all()

    in_fork(grandchild)

in_fork(child)
"""
)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_of_a_process_in_which_tensorflow_runs_predicts_but_does_not_fit(run_python):
    said = run_python(FORKS).splitlines()
    assert len(said) == N_REFUSALS
    assert all("loky" in line and "spawn" in line for line in said)
