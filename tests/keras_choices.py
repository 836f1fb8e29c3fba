"""What Keras offers for a weight: its public initializers, regularizers and constraints."""

from __future__ import annotations

import keras
import numpy as np


def classes_of(module, base):
    """Ask Keras for the public classes of a module, without the abstract base."""
    found = {value for value in vars(module).values() if isinstance(value, type)}
    return sorted((c for c in found if issubclass(c, base) and c is not base), key=str)


def takes_a_vector(function, *arguments):
    """Ask Keras whether a function of a shape or weight accepts one of a single axis."""
    try:
        function(*arguments)
    except ValueError:
        return False
    return True


INITIALIZERS = classes_of(keras.initializers, keras.initializers.Initializer)
VECTOR_INITIALIZERS = [c for c in INITIALIZERS if takes_a_vector(c(), (10,))]
MATRIX_INITIALIZERS = [c for c in INITIALIZERS if c not in VECTOR_INITIALIZERS]
REGULARIZERS = classes_of(keras.regularizers, keras.regularizers.Regularizer)
VECTOR_REGULARIZERS = [c for c in REGULARIZERS if takes_a_vector(c(), np.ones(10, "float32"))]
MATRIX_REGULARIZERS = [c for c in REGULARIZERS if c not in VECTOR_REGULARIZERS]
CONSTRAINTS = classes_of(keras.constraints, keras.constraints.Constraint)
