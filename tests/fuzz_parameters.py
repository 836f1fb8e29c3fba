"""Values of every parameter for the fuzzer, good and bad ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    LeaveOneOut,
    LeavePOut,
    ShuffleSplit,
    StratifiedKFold,
    TimeSeriesSplit,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from user_layers import Bilinear, Doubled, two_layers

from skscale import LearnedScaleClassifier, LearnedScaleRegressor, LearnedScaleTransformer
from skscale._normalization.criteria import NORMALIZATIONS
from skscale.layers import PeriodicEmbedding

# Small and quick; a case changes some of them.
BASE = {
    "hidden_layer_sizes": (4,),
    "embedding": None,
    "epochs": 2,
    "cv": 2,
    "regularization_path": [(0.03, 0.3), (1.0, 1.0)],
    "random_state": 0,
}
SINGLE = {**BASE, "scale_regularizer": None}

ESTIMATORS = [LearnedScaleClassifier, LearnedScaleRegressor, LearnedScaleTransformer]

# What no parameter, or hardly one, can be.
NONSENSE: list[Callable[[], Any]] = [
    lambda: "nonsense",
    lambda: "",
    lambda: b"adam",
    lambda: -1,
    lambda: 0,
    lambda: 0.5,
    lambda: -1.5,
    lambda: 10**20,
    lambda: np.nan,
    lambda: np.inf,
    lambda: 1j,
    lambda: None,
    lambda: True,
    list,
    lambda: (),
    dict,
    lambda: {"class_name": "Nothing", "config": {}},
    lambda: {"class_name": "Dense", "config": {"units": 3}},
    lambda: [None],
    lambda: ["auto"],
    lambda: np.zeros(3),
    lambda: np.array("auto"),
    lambda: object(),
    lambda: object,
    lambda: int,
    lambda: print,
    lambda: np.tanh,
    lambda: LinearRegression(),
    lambda: keras.layers.Dense(3),
    lambda: keras.layers.Dense,
    lambda: keras.regularizers.L1(0.01),
    lambda: keras.initializers.Ones(),
    lambda: keras.metrics.MeanSquaredError(),
]


def _names(family: str) -> list[str]:
    return [name for name in dir(getattr(keras, family)) if name[0].islower()]


def _initializers() -> list[Any]:
    some = [
        "zeros",
        "ones",
        "glorot_uniform",
        "he_normal",
        "orthogonal",
        "identity",
        "random_normal",
        keras.initializers.RandomNormal(1.0, 0.1),
        keras.initializers.Constant(0.5),
        keras.initializers.Constant(1e30),
        keras.initializers.Constant(1e-30),
        keras.initializers.Constant(-np.inf),
        keras.initializers.RandomNormal(stddev=-1.0),
        keras.initializers.VarianceScaling(2.0),
        keras.initializers.TruncatedNormal,
        {"class_name": "RandomUniform", "config": {"minval": -1.0, "maxval": 1.0}},
        {"class_name": "Constant", "config": {"valu": 1.0}},
    ]
    return ["auto", *some, *_names("initializers")]


def _regularizers() -> list[Any]:
    return [
        None,
        "l1",
        "l2",
        "l1_l2",
        "orthogonal_regularizer",
        keras.regularizers.L1(0.03),
        keras.regularizers.L1L2(0.1, 0.1),
        keras.regularizers.L2(1e6),
        keras.regularizers.OrthogonalRegularizer(0.1),
        {"class_name": "L1", "config": {"l1": 0.1}},
        unregistered_penalty,
    ]


def unregistered_penalty(weights: Any) -> Any:
    """Penalize weights, as a user may write it who does not know of Keras' registry."""
    return 0.01 * keras.ops.sum(keras.ops.abs(weights))


def _constraints() -> list[Any]:
    return [
        None,
        "non_neg",
        "unit_norm",
        "max_norm",
        "min_max_norm",
        keras.constraints.MaxNorm(0.5),
        keras.constraints.UnitNorm(axis=1),
        keras.constraints.MinMaxNorm(0.5, 2.0),
        keras.constraints.NonNeg,
        keras.constraints.MaxNorm(-1.0),
        {"class_name": "MaxNorm", "config": {"max_value": 1}},
    ]


def _activations() -> list[Any]:
    return [
        *_names("activations"),
        keras.activations.tanh,
        keras.layers.LeakyReLU(),
        {"class_name": "function", "config": "relu"},
        "exponential",
        "softmax",
        "glu",
        keras.ops.square,
        lambda x: x,
    ]


def _normalizations() -> list[Any]:
    return [
        *NORMALIZATIONS,
        "batch",
        None,
        StandardScaler(),
        StandardScaler(with_mean=False),
        MinMaxScaler((-1, 1)),
        MinMaxScaler((1, 0)),
        MinMaxScaler(clip=True),
        MaxAbsScaler(),
        RobustScaler(),
        RobustScaler(quantile_range=(60, 40)),
        FunctionTransformer(),
        make_pipeline(RobustScaler(), MinMaxScaler()),
        StandardScaler,
        PCA(),
        Normalizer(),
        PowerTransformer(),
        QuantileTransformer(n_quantiles=2),
        OneHotEncoder(),
    ]


def _splits() -> list[Any]:
    half = np.arange(6)
    return [
        2,
        3,
        5,
        30,
        10**6,
        1,
        np.int64(2),
        KFold(2),
        KFold(3, shuffle=True, random_state=0),
        KFold(1000),
        StratifiedKFold(2),
        GroupKFold(2),
        LeaveOneGroupOut(),
        LeaveOneOut(),
        LeavePOut(2),
        ShuffleSplit(2, random_state=0),
        ShuffleSplit(2, test_size=0.99, random_state=0),
        TimeSeriesSplit(2),
        [(half, half + 6), (half + 6, half)],
        [(half, half)],
        [(half, [])],
        [([], half)],
        [(half - 6, half)],
        [(half, half + 1000)],
        [(half / 2, half)],
        [half],
        [(0, 1)],
        iter([(half, half + 6)]),
        (pair for pair in [(half, half + 6)]),
    ]


def _losses() -> list[Any]:
    return [
        *_names("losses"),
        keras.losses.Huber(0.5),
        keras.losses.MeanSquaredError(reduction="sum"),
        keras.losses.BinaryCrossentropy(from_logits=True),
        keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
        keras.losses.LogCosh,
        keras.losses.Huber(np.nan),
        {"class_name": "Huber", "config": {"delta": 2.0}},
        lambda y_true, y_pred: keras.ops.mean((y_true - y_pred) ** 2),
        keras.losses.mean_absolute_error,
    ]


def _optimizers() -> list[Any]:
    schedule = keras.optimizers.schedules.ExponentialDecay(0.01, 10, 0.9)
    return [
        "auto",
        *[name for name in dir(keras.optimizers) if name[0].isupper()],
        "sgd",
        keras.optimizers.Adam(schedule),
        keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
        keras.optimizers.SGD(3.0),
        keras.optimizers.Adam(10.0),
        keras.optimizers.Adam(-1.0),
        keras.optimizers.Adam(beta_1=7.0),
        keras.optimizers.AdamW(clipnorm=1.0),
        keras.optimizers.Adam(global_clipnorm=1.0, use_ema=True),
        keras.optimizers.Adam(gradient_accumulation_steps=2),
        keras.optimizers.Lamb,
        {"class_name": "RMSprop", "config": {"learning_rate": 0.01}},
        {"class_name": "Adam", "config": {"learning_rat": 0.01}},
    ]


# A function for each, so that no two cases share an object.
PARAMETERS: dict[str, Callable[[], list[Any]]] = {
    "normalization": _normalizations,
    "center": lambda: [True, False, np.True_, 1],
    "scale_initializer": _initializers,
    "scale_regularizer": lambda: ["auto", *_regularizers()],
    "scale_constraint": _constraints,
    "center_initializer": _initializers,
    "center_regularizer": _regularizers,
    "center_constraint": _constraints,
    "embedding": lambda: [
        "auto",
        "periodic",
        None,
        PeriodicEmbedding(n_frequencies=2, units=2),
        PeriodicEmbedding(indices=[0]),
        PeriodicEmbedding(indices=[7]),
        PeriodicEmbedding,
        keras.layers.Dense(3),
        keras.layers.Flatten(),
        keras.layers.Embedding(3, 2),
        lambda n_features: keras.layers.Dense(n_features),
        lambda n_features: None,
        {"class_name": "Dense", "config": {"units": 2}},
    ],
    "hidden_layer_sizes": lambda: [
        (4,),
        (),
        [],
        4,
        (4, 3),
        np.array([4]),
        np.int64(4),
        [4.0],
        (0,),
        (-1, 4),
        10**9,
        "4",
        {4},
        (4, None),
        np.zeros((2, 2)),
    ],
    "activation": _activations,
    "use_bias": lambda: [True, False, 1],
    "kernel_initializer": _initializers,
    "bias_initializer": _initializers,
    "kernel_regularizer": _regularizers,
    "kernel_constraint": _constraints,
    "dropout": lambda: [0.0, 0.1, 0.99, np.float32(0.2), 0, 1.0, -0.1, 1],
    "hidden_layer": lambda: [
        "dense",
        "sine",
        "Dense",
        "LSTM",
        "PeriodicEmbedding",
        keras.layers.Dense,
        keras.layers.EinsumDense,
        lambda units: keras.layers.Dense(units, "relu"),
        Bilinear,
        Doubled,
        lambda units: units,
        lambda units: None,
    ],
    "network": lambda: [
        None,
        two_layers,
        two_layers(3, 1),
        Bilinear(1),
        keras.layers.Dense(1),
        keras.layers.Dense(7),
        keras.Sequential([keras.layers.Dense(1)]),
        lambda n_features, n_outputs: keras.layers.Dense(n_outputs),
        lambda n_features, n_outputs: None,
        lambda n_features: keras.layers.Dense(1),
        {"class_name": "Dense", "config": {"units": 1}},
    ],
    "network_params": lambda: [None, {}, {"width": 3}, {"units": 3}, {"width": "three"}],
    "loss": _losses,
    "optimizer": _optimizers,
    "learning_rate": lambda: ["auto", 0.01, 1, 1e-300, 3.0, 1e4, 1e300, np.float32(0.1), "fast"],
    "scale_learning_rate_factor": lambda: [10.0, 0, 1, 1e6, np.inf, -1],
    "weight_decay": lambda: ["auto", 0.0, 0.1, 1e6, np.inf, -0.1],
    "epochs": lambda: ["auto", 1, 3, True, np.int64(2), 2.0, 0, 10**10],
    "batch_size": lambda: ["auto", 1, 4, 7, 1000, 10**12, np.int8(3), 2.5],
    "dtype": lambda: ["auto", "float32", "float64", "float16", np.float32],
    "early_stopping": lambda: [True, False, np.True_, 1],
    "validation_fraction": lambda: [0.1, 0.5, 0.999, 1e-9, 1, 0],
    "n_iter_no_change": lambda: [1, 10, 0, np.inf],
    "callbacks": lambda: [
        None,
        [],
        keras.callbacks.EarlyStopping(monitor="loss"),
        [keras.callbacks.TerminateOnNaN(), keras.callbacks.ReduceLROnPlateau()],
        keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None),
        keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (1 + epoch)),
        keras.callbacks.EarlyStopping,
        [print],
        "early",
    ],
    "warm_start": lambda: [True, False],
    "cv": _splits,
    "regularization_path": lambda: [
        "auto",
        [0.1],
        [0, 0.1, 1],
        ((0.0, 0.0), (10.0, 1.0)),
        np.array([[0.1, 1.0]]),
        [0.1, 0.1],
        [],
        [-1],
        [np.nan],
        [True],
        [1e308, 1e308],
        [(0.1, 1.0, 2.0)],
        [[0.1], [0.2, 0.3]],
        ["a"],
        {0.1: 1.0},
    ],
    "random_state": lambda: [0, 2**32 - 1, None, np.random.RandomState(3), -1, 2**32, "a", 1.5],
    "verbose": lambda: [0, False, 0.5, -1, "loud"],
    "target_normalization": _normalizations,
    "output_activation": lambda: [*_activations(), "sigmoid", "tanh", "softplus"],
    "class_weight": lambda: [
        None,
        "balanced",
        {},
        {0: 2.0, 1: 1.0},
        {"red": 5, "green": 0},
        {0: 0.0},
        {0: -1.0},
        {0: np.nan},
        {0: 1e300, 1: 1e-300},
        {0: "heavy"},
        "weighted",
        [1, 2],
    ],
    "target_type": lambda: ["auto", "continuous", "binary", "multiclass", "regression"],
    "readout": lambda: ["sensitivity", "gain", "scale"],
    "power": lambda: ["auto", 0, 0.5, 1, 2, 100.0, 1e300, -1, np.inf],
    "unsupervised": lambda: ["standard", "autoencoder", "pca"],
}
