"""How an estimator shows itself: the links and the texts of its HTML form."""

from __future__ import annotations

import functools
from importlib import metadata
from typing import Any


class ReprMixin:
    """Adds to scikit-learn's HTML form what it needs of this package. Before `BaseEstimator`."""

    _doc_link_module = "skscale"
    _doc_link_template = "{url}"

    def _doc_link_url_param_generator(self) -> dict[str, str]:
        return {"url": documentation_url()}

    def _get_params_html(self, *arguments: Any, **settings: Any) -> Any:
        """Return the table of parameters, with the text of each."""
        return _with_texts(super()._get_params_html(*arguments, **settings))  # type: ignore[misc]

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
