"""The report of the accuracy benchmark, in Markdown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from accuracy_results import Result
from accuracy_tables import Table
from harness import table as markdown_table
from scipy.stats import rankdata

TIE = 0.002
"""Mean differences below this, of R2 or of accuracy, count as a tie."""

RULES = f"""Scores are means over the splits, of R2 or of accuracy. Of ours the standard deviation
over the splits stands beside it, and only tables that it has are shown. The best of a row is bold.
A difference is ours less the other's, split by split, and its mean over the splits that both
have; below {TIE} in size it is a tie. Ranks are among the models that a table has. An R2 below
-1 counts as -1 in differences, so that one broken fit does not decide a mean. A cell is empty
where a fit was not done, ended in an error, or would have had too many rows."""

Values = dict[str, dict[str, dict[int, float]]]
"""Table, model and split to a score or to seconds, averaged over seeds."""


def report(
    results: Sequence[Result],
    tables: Sequence[Table],
    ours: str,
    peers: Sequence[str] | None = None,
    behind: Sequence[str | None] = (None,),
) -> str:
    """Write the scores, the comparison of ours with each peer, the seconds and the errors.

    Parameters
    ----------
    results : sequence of Result
        Of one part of the benchmark.
    tables : sequence of Table
        Which to show.
    ours : str
        Name of the model, or of the scaler, that the others are compared with.
    peers : sequence of str, default=None
        Names of the others; None shows all that have results.
    behind : sequence of str or None, default=(None,)
        Models behind the scalers, each of which has a part of the report; None for predictors.

    Returns
    -------
    str
        Markdown.
    """
    lines = [RULES.replace("\n", " ")]
    for model in behind:
        suffix = "" if model is None else f" + {model}"
        if model is not None:
            lines.append(f"# {model} behind scalers")
        own = [
            # Without the model behind it, which the heading names.
            (result, result.model.removesuffix(suffix))
            for result in results
            if result.model.endswith(suffix)
        ]
        names = list(dict.fromkeys(name for _, name in own))
        if ours not in names:
            lines.append(f"There are no results of {ours} yet.")
        others = [name for name in peers or names if name in names and name != ours]
        names = [name for name in (ours, *others) if name in names]
        scores, seconds = _values(own, "score"), _values(own, "seconds")
        for title, group in _groups(tables):
            wanted = {ours} if ours in names else set(names)
            shown = [table.name for table in group if wanted & set(scores[table.name])]
            if shown:
                lines += [f"## {title}", _score_table(scores, shown, names, ours)]
                lines += comparison(scores, shown, ours, others)
                lines += ["Seconds of a fit, mean over the splits:"]
                lines += [_seconds_table(seconds, shown, names)]
    errors = _errors(results, {table.name for table in tables})
    if errors:
        lines += ["## Errors", markdown_table(("table", "model", "splits", "error"), errors)]
    return "\n\n".join(lines)


def comparison(scores: Values, tables: Sequence[str], ours: str, peers: Sequence[str]) -> list[str]:
    """Write wins and losses of ours against each peer, the mean ranks, and the worst losses."""
    rows, losses = [], []
    for peer in peers:
        found = differences(scores, tables, ours, peer)
        if not found:
            continue
        values = np.array(list(found.values()))
        n_wins, n_losses = int((values >= TIE).sum()), int((values <= -TIE).sum())
        counts = (n_wins, len(values) - n_wins - n_losses, n_losses)
        rows.append(
            (peer, len(values), f"{values.mean():+.4f}", f"{np.median(values):+.4f}", *counts)
        )
        worst = sorted((value, name) for name, value in found.items() if value <= -TIE)[:5]
        losses.append((peer, ", ".join(f"{name} {value:+.3f}" for value, name in worst)))
    if not rows:
        return []
    head = ("against", "tables", "mean difference", "median", "wins", "ties", "losses")
    lines = [f"{ours} against each of the others:", markdown_table(head, rows)]
    losses = [row for row in losses if row[1]]
    if losses:
        lines.append(markdown_table(("against", "five worst losses"), losses))
    ranks = mean_ranks(scores, tables, [ours, *peers])
    if len(ranks) > 2:
        lines.append(markdown_table(("model", "mean rank", "tables"), ranks))
    return lines


def differences(scores: Values, tables: Sequence[str], ours: str, peer: str) -> dict[str, float]:
    """Return the mean of our score less the peer's over the splits of both, by table."""
    found = {}
    for name in tables:
        own, other = scores[name].get(ours, {}), scores[name].get(peer, {})
        shared = sorted(set(own) & set(other))
        if shared:
            found[name] = float(np.mean([max(own[f], -1) - max(other[f], -1) for f in shared]))
    return found


def mean_ranks(
    scores: Values, tables: Sequence[str], names: Sequence[str]
) -> list[tuple[str, str, int]]:
    """Return each model's mean rank and its number of tables, the best first.

    The best of a table has rank 1, and equal scores share their ranks. A model that is not for
    some tables, by size or kind, is ranked on the others.
    """
    ranks: dict[str, list[float]] = {name: [] for name in names}
    for table in tables:
        present = [name for name in names if name in scores[table]]
        means = [np.mean(list(scores[table][name].values())) for name in present]
        for name, rank in zip(present, rankdata(-np.array(means)), strict=True):
            ranks[name].append(rank)
    found = {
        name: (float(np.mean(values)), len(values)) for name, values in ranks.items() if values
    }
    return [
        (name, f"{rank:.2f}", n_tables)
        for name, (rank, n_tables) in sorted(found.items(), key=lambda item: item[1])
    ]


def _groups(tables: Sequence[Table]) -> list[tuple[str, list[Table]]]:
    """Real tables apart from generated ones, and both from those the defaults were chosen on."""
    tuning = [table for table in tables if table.is_tuning]
    others = [table for table in tables if not table.is_tuning]
    return [
        ("Real tables that nothing was chosen on", [t for t in others if t.is_real]),
        ("Generated tables that nothing was chosen on", [t for t in others if not t.is_real]),
        ("Real tables that defaults were chosen on", [t for t in tuning if t.is_real]),
        ("Generated tables that defaults were chosen on", [t for t in tuning if not t.is_real]),
    ]


def _values(results: Iterable[tuple[Result, str]], what: str) -> Values:
    collected: dict[str, dict[str, dict[int, list[float]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    for result, name in results:
        value = getattr(result, what)
        if value is not None:
            collected[result.table][name][result.fold].append(value)
    values: Values = defaultdict(dict)
    for table, models in collected.items():
        for name, by_fold in models.items():
            values[table][name] = {fold: float(np.mean(v)) for fold, v in by_fold.items()}
    return values


def _score_table(scores: Values, tables: Sequence[str], names: Sequence[str], ours: str) -> str:
    rows = []
    for table in tables:
        by_fold = {name: list(scores[table].get(name, {}).values()) for name in names}
        means = {name: float(np.mean(v)) for name, v in by_fold.items() if v}
        best = f"{max(means.values()):.3f}"
        row = [table]
        for name in names:
            if name not in means:
                row.append("")
                continue
            cell = f"{means[name]:.3f}"
            cell = f"**{cell}**" if cell == best else cell
            row.append(f"{cell} ± {np.std(by_fold[name]):.3f}" if name == ours else cell)
        rows.append(row)
    return markdown_table(("table", *names), rows)


def _seconds_table(seconds: Values, tables: Sequence[str], names: Sequence[str]) -> str:
    rows = []
    for table in tables:
        means = [list(seconds[table].get(name, {}).values()) for name in names]
        rows.append((table, *(float(np.mean(v)) if v else None for v in means)))
    return markdown_table(("table", *names), rows)


def _errors(results: Sequence[Result], tables: set[str]) -> list[tuple[str, str, str, str]]:
    """Collect the splits that ended in the same error."""
    splits: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for result in results:
        if result.error and result.table in tables:
            text = " ".join(result.error.split())[:160].replace("|", "/")
            splits[result.table, result.model, text].append(str(result.fold))
    return [(table, model, ", ".join(s), text) for (table, model, text), s in splits.items()]
