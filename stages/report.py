"""Write the report (one page with everything in it) and the model card, and print what the run reached.

As the last stage it also adds the results of all stages after `train` to MLflow's record of the run: each of them
would otherwise spend seconds on the import of MLflow.
"""

from darkroom.base import paths
from darkroom.base.console import run
from darkroom.base.files import write_text
from darkroom.config.params import load
from darkroom.config.stage_files import ErrorFigures, Evaluation, InsideFigures
from darkroom.dataset.packed import load_split
from darkroom.report import page, summary
from darkroom.tracking import recording, results


def main() -> None:
    params, entry = load(images=len(load_split("train")))
    content = page.content(params, entry)
    text = page.page(content)
    write_text(paths.REPORT, text)
    write_text(paths.CARD, page.card(content))
    figures = results.figures(
        Evaluation.read(paths.EVALUATE), ErrorFigures.read(paths.ERRORS), InsideFigures.read(paths.INSIDE)
    )
    recording.add_results(params, figures, results.FILES)
    print(f"wrote {paths.REPORT} ({len(text.encode()) / 1e6:.1f} MB, all in one page) and {paths.CARD}")
    print(summary.in_words())
    summary.note_shown()


if __name__ == "__main__":
    run(main)
