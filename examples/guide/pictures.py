"""Draw the pictures of the README and of this guide, one with each display.

Usage: python pictures.py [--folder PATH] [--features NUMBER]

The model is that of the README's quick start: Friedman's first function of five features, further
features that are noise, 150 rows. It takes some seconds, and matplotlib (the extra `plot`).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import make_friedman1
from sklearn.model_selection import train_test_split

from skscale import LearnedScaleRegressor, PathDisplay, ScaleDisplay, TrainingCurveDisplay

DISPLAYS = {
    "scale.png": ScaleDisplay,
    "path.png": PathDisplay,
    "training_curve.png": TrainingCurveDisplay,
}


def fit(n_features: int) -> LearnedScaleRegressor:
    X, y = make_friedman1(n_samples=200, n_features=n_features, noise=1.0, random_state=0)
    X = X * np.logspace(-4, 5, n_features)
    X_train, _, y_train, _ = train_test_split(X, y, random_state=0)
    return LearnedScaleRegressor(random_state=0).fit(X_train, y_train)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path(__file__).resolve().parent)
    parser.add_argument("--features", type=int, default=10, help="at least 5; more are noise")
    options = parser.parse_args(arguments)
    model = fit(options.features)
    for name, display in DISPLAYS.items():
        path = options.folder / name
        # Beside it first, so that a full disk leaves the picture of before.
        part = path.with_suffix(".part.png")
        display.from_estimator(model).figure_.savefig(part, dpi=100)
        # Few colours make a third of the file.
        with Image.open(part) as picture:
            small = picture.quantize(64)
        small.save(part, optimize=True)
        part.replace(path)


if __name__ == "__main__":
    main()
