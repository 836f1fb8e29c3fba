"""The README's Python runs as written, from top to bottom in one session."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_python_of_the_readme_runs_as_written(run_python):
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    printed = run_python("\n".join(blocks))
    assert "R2 on held-out rows" in printed
    assert "hidden_layer_sizes" in printed
    ripples, dense = map(float, re.findall(r"R2 of the ripple's size: (\S+)", printed))
    # .89 and .77 here; libraries of other versions round differently.
    assert ripples > 0.85 > dense


def test_files_the_readme_shows_exist():
    shown = re.findall(r"!\[[^]]*]\(([^)]+)\)", README) + re.findall(r"python (\S+\.py)", README)
    assert shown
    for path in shown:
        assert (Path(__file__).parent.parent / path).is_file(), path
