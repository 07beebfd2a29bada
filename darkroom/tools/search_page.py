"""The page of a search, search/NAME/page.html: Optuna's own plots, the best trials over seeds, and all trials."""

import base64
import html
import io
import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
from optuna.trial import FrozenTrial

from darkroom.base.files import write_csv, write_text
from darkroom.report import rendering
from darkroom.tools import search_best
from darkroom.tools.search_best import Result
from darkroom.tools.search_file import Settings
from darkroom.tools.search_study import COST, REASON, VALUES

INCH, DPI = 6.2, 110
PLOTS = {
    "History": ("plot_optimization_history", "Value of each trial, and the best so far"),
    "Importance": ("plot_param_importances", "How much of the spread of the values each key explains (fANOVA)"),
    "Val curves": ("plot_intermediate_values", "Value by epoch; a pruned trial's curve ends early"),
    "Slices": ("plot_slice", "Value by each key; the darker, the later the trial"),
    "Parallel coordinates": ("plot_parallel_coordinate", "Each line is a trial through its values"),
}


def write(folder: Path, study: optuna.Study, settings: Settings, result: Result) -> Path:
    """Write the page, and trials.csv beside it; return the path of the page."""
    trials = table(study, settings)
    write_csv(folder / "trials.csv", trials)
    page = folder / "page.html"
    write_text(page, _page(study, settings, result, trials))
    return page


def table(study: optuna.Study, settings: Settings) -> pd.DataFrame:
    """A row for each trial: its experiment, state, value, last epoch, seconds, reason, and what it set."""
    return pd.DataFrame([_row(trial, settings) for trial in study.get_trials(deepcopy=False)])


def _row(trial: FrozenTrial, settings: Settings) -> dict[str, Any]:
    seconds = trial.duration.total_seconds() if trial.duration else None
    row: dict[str, Any] = {
        "trial": f"{settings.name}-{trial.number:03}",
        "state": trial.state.name.lower(),
        settings.figure: trial.value,
        "epochs": trial.last_step,
        "seconds": None if seconds is None else round(seconds, 1),
        "cpu_seconds": trial.user_attrs.get(COST),
        "reason": trial.user_attrs.get(REASON, ""),
    }
    values = trial.user_attrs.get(VALUES, {})
    return row | {key: json.dumps(it) if isinstance(it, list) else it for key, it in values.items()}


def _page(study: optuna.Study, settings: Settings, result: Result, trials: pd.DataFrame) -> str:
    metric = html.escape(settings.figure)
    named = "".join(f"<dt>{rank}</dt><dd>{html.escape(text)}</dd>" for rank, text in result.configurations.items())
    shown = trials.round({settings.figure: 4}).astype(object).where(trials.notna(), "")
    plots = "".join(f"<section><h2>{title}</h2>{picture}</section>" for title, picture in _plots(study))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<link rel="icon" href="data:,">
<title>search {html.escape(settings.name)}: {metric} {study.best_value:.4f}</title>
<style>{rendering.part("report.css")}</style>
</head>
<body>
<header>
<p class="brand">Darkroom</p>
<h1>Search {html.escape(settings.name)}</h1>
<p class="lead">{html.escape(search_best.counts_in_words(study))}; the best reached {metric} {study.best_value:.4f}</p>
</header>
<main>
<section>
<h2>The best again, over seeds</h2>
{_html(result.cells)}
<dl>{named}</dl>
<p>{html.escape(search_best.on_test(result))}. The others' figures on test are not shown: they would choose by it.</p>
<pre>dvc exp apply {html.escape(result.winner)} &amp;&amp; dvc repro</pre>
</section>
{plots}
<section>
<h2>All trials</h2>
{_html(shown)}
</section>
</main>
</body>
</html>
"""


def _html(rows: pd.DataFrame) -> str:
    head = "".join(f'<th scope="col">{html.escape(str(name))}</th>' for name in rows)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(_text(value))}</td>" for value in row) + "</tr>\n"
        for row in rows.itertuples(index=False)
    )
    start = '<div class="scroll" tabindex="0" role="region"><table><thead><tr>'
    return f"{start}{head}</tr></thead><tbody>\n{body}</tbody></table></div>"


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _plots(study: optuna.Study) -> Iterator[tuple[str, str]]:
    """Optuna's plots as pictures of the page; the reason in place of one that it cannot draw, as of a single trial."""
    import matplotlib as mpl

    mpl.use("Agg")
    import optuna.visualization.matplotlib as draw

    for title, (name, alt) in PLOTS.items():
        try:
            with warnings.catch_warnings(action="ignore"):
                yield title, _picture(getattr(draw, name), study, alt)
        except (ValueError, RuntimeError, ZeroDivisionError) as error:
            yield title, f"<p>No plot: {html.escape(str(error).splitlines()[0])}</p>"


def _picture(plot: Callable[[optuna.Study], Any], study: optuna.Study, alt: str) -> str:
    import matplotlib.pyplot as plt
    import numpy as np

    try:
        axes = np.ravel(plot(study))
        figure = axes[0].figure
        figure.set_size_inches(max(1.7 * INCH, 0.55 * INCH * len(axes)), INCH)
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=DPI, bbox_inches="tight", metadata={"Software": None})
    finally:
        plt.close("all")
    uri = base64.b64encode(stream.getvalue()).decode()
    text = html.escape(alt)
    return f'<figure><img src="data:image/png;base64,{uri}" alt="{text}"><figcaption>{text}.</figcaption></figure>'
