"""How an estimator shows itself in HTML: objects of Keras readable, texts and links."""

from __future__ import annotations

import functools
import inspect
from importlib import metadata
from typing import Any

from skscale._keras.private_api import loss_arguments


class ReprMixin:
    """Adds to scikit-learn's HTML form what it needs of this package. Before `BaseEstimator`.

    The text form is scikit-learn's own: a class with a `__repr__` of its own is no longer broken
    into lines in pipelines.
    """

    _doc_link_module = "skscale"
    _doc_link_template = "{url}"

    def _doc_link_url_param_generator(self) -> dict[str, str]:
        return {"url": documentation_url()}

    def _get_params_html(self, *arguments: Any, **settings: Any) -> Any:
        """Return the table of parameters, with the text of each."""
        table = _with_texts(super()._get_params_html(*arguments, **settings))  # type: ignore[misc]
        table.update({name: readable(value) for name, value in table.items()})
        return table

    def _get_fitted_attr_html(self, *arguments: Any, **settings: Any) -> Any:
        """Return the table of fitted attributes, with the text of each."""
        return _with_texts(super()._get_fitted_attr_html(*arguments, **settings))  # type: ignore[misc]


def _with_texts(table: Any) -> Any:
    # scikit-learn shows the texts of linked names only. A blank, which browsers leave out, makes
    # links into the page that shows them.
    table.doc_link = table.doc_link or " "
    return table


@functools.cache
def documentation_url() -> str:
    """Return what pyproject.toml names as the documentation; empty where it names none."""
    try:
        urls = metadata.metadata("skscale").get_all("Project-URL") or []
    except metadata.PackageNotFoundError:
        # Not installed, only on the path.
        return ""
    pages = dict(url.split(", ", 1) for url in urls)
    return pages.get("Documentation") or pages.get("Repository") or ""


class _Shown:
    """Has the text of something else as its repr."""

    def __init__(self, text: str):
        self._text = text

    def __repr__(self) -> str:
        return self._text


def readable(value: Any) -> Any:
    """Return something whose repr is the name and settings of an object of Keras.

    Parameters
    ----------
    value : object
        A parameter.

    Returns
    -------
    shown : object
        The value itself, where it has a repr of its own.
    """
    if inspect.isfunction(value):
        return _Shown(value.__name__)
    if " at 0x" not in repr(value) or not hasattr(value, "get_config"):
        return value
    # Some losses leave settings out of their config.
    settings = {**loss_arguments(value), **value.get_config()}
    # Those of scikit-learn are left out where they are the default, too. Keras numbers its names.
    defaults = {k: p.default for k, p in inspect.signature(type(value)).parameters.items()}
    short = {name: _short(setting) for name, setting in settings.items() if name != "name"}
    changed = {name: setting for name, setting in short.items() if setting != defaults.get(name)}
    arguments = ", ".join(f"{name}={setting!r}" for name, setting in changed.items())
    return _Shown(f"{type(value).__name__}({arguments})")


def _short(setting: Any) -> Any:
    # Keras keeps some numbers in float32.
    return float(f"{setting:.6g}") if isinstance(setting, float) else setting
