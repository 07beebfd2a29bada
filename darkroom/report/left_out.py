"""What the pipeline did not take of the data, and why: files by reason, with a place to look at."""

from typing import Any

import pandas as pd

from darkroom.config.stage_tables import HIDDEN


def rows(rejected: pd.DataFrame, passed_over: pd.DataFrame) -> pd.DataFrame:
    """One row a reason: what happened, why, how many files, and an example; the most files first.

    `rejected` is data/images/rejected.csv (files that were wanted and cannot be used), `passed_over` is
    data/images/passed_over.csv (files that the entry does not name).
    """
    found: list[dict[str, Any]] = [
        {"what": "rejected", "why": reason, "files": len(of_reason), "for instance": of_reason["path"].iloc[0]}
        for reason, of_reason in rejected.groupby("reason", sort=False)
    ]
    seen = passed_over[passed_over["reason"] != HIDDEN]
    found += [
        {
            "what": "passed over",
            "why": reason,
            "files": int(of_reason["files"].sum()),
            "for instance": _place(of_reason["folder"].iloc[0], of_reason["example"].iloc[0]),
        }
        for reason, of_reason in seen.groupby("reason", sort=False)
    ]
    table = pd.DataFrame(found, columns=["what", "why", "files", "for instance"])
    return table.sort_values(["what", "files"], ascending=[False, False], kind="stable")


def _place(folder: str, example: str) -> str:
    return example if folder in ("", ".") or example.startswith(f"{folder}/") else f"{folder}/{example}"
