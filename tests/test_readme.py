"""The README and the guide run as written, and print what they show."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

ROOT = Path(__file__).resolve().parent.parent
README, BENCHMARKS = ROOT / "README.md", ROOT / "examples" / "benchmarks" / "README.md"
GUIDE = sorted((ROOT / "examples" / "guide").glob("*.md"))
PAGES = [README, BENCHMARKS, *GUIDE]

_BLOCK = re.compile(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", re.DOTALL)
_DECIMAL = re.compile(r"-?\d+\.\d*")


def name_of(page):
    return page.relative_to(ROOT).as_posix()


def blocks(page):
    """Return the Python of a page, each block with the output that is shown under it."""
    return _BLOCK.findall(page.read_text(encoding="utf-8"))


def assert_printed(printed, shown):
    """Compare words as they are, and decimals to one in the last digit that their line shows."""
    assert _DECIMAL.sub("#", printed).split() == _DECIMAL.sub("#", shown).split(), printed
    # Processors and versions of libraries round differently, and a training carries that on.
    for line, line_shown in zip(printed.splitlines(), shown.splitlines(), strict=True):
        decimals = _DECIMAL.findall(line_shown)
        n_digits = max((len(decimal.partition(".")[2]) for decimal in decimals), default=0)
        expected = [float(decimal) for decimal in decimals]
        # A little more than one, as decimal fractions are rounded themselves.
        assert [float(decimal) for decimal in _DECIMAL.findall(line)] == pytest.approx(
            expected, rel=0, abs=1.01 * 10**-n_digits
        ), printed


@pytest.mark.parametrize(
    ("printed", "is_same"),
    [
        ("R2 0.43 a", True),
        ("R2 0.42 a", True),
        ("R2 0.45 a", False),
        ("R2 0.43 b", False),
        ("R2 4 a", False),
    ],
)
def test_last_digit_alone_may_differ(printed, is_same):
    if is_same:
        assert_printed(printed, "R2 0.43 a\n")
    else:
        with pytest.raises(AssertionError):
            assert_printed(printed, "R2 0.43 a\n")


@pytest.mark.slow
def test_readme_prints_what_it_shows_in_a_fresh_process(run_python):
    codes, shown = zip(*blocks(README), strict=True)
    assert all(shown)
    assert_printed(run_python("\n".join(codes)), "".join(shown))


@pytest.mark.slow
# shap and distributed warn of other libraries.
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("page", GUIDE, ids=name_of)
def test_guide_prints_what_it_shows(page, tmp_path, monkeypatch, capsys):
    # Some blocks save files.
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}
    try:
        for code, shown in blocks(page):
            exec(compile(code, name_of(page), "exec"), namespace)
            assert_printed(capsys.readouterr().out, shown)
    finally:
        plt.close("all")


def test_readme_has_at_most_120_lines():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 120


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_and_headings_that_a_page_links_to_exist(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"]\(([^)\s]+)\)", text):
        if target.startswith("https://"):
            continue
        path, _, heading = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.is_file(), target
        assert not heading or heading in headings(linked), target
    for script in re.findall(r"python (\S+/\S+\.py)", text):
        assert (ROOT / script).is_file(), script


def headings(page):
    """Return the addresses that GitHub gives to the headings of a page."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_readme_links_to_every_page_of_the_guide():
    text = README.read_text(encoding="utf-8")
    assert GUIDE
    for page in GUIDE:
        assert f"({name_of(page)})" in text
