"""The graph of dvc.yaml: what each stage reads and writes."""

from collections.abc import Mapping
from typing import Any

from darkroom.base.paths import GRAPH

Stages = Mapping[str, tuple[list[str], list[str]]]  # by name: what a stage reads, and what it writes


def stages() -> Stages:
    """The stages of the project in the working folder, in their order."""
    from ruamel.yaml import YAML  # here: every stage and command imports this module, few need it

    content = YAML(typ="safe").load(GRAPH.read_bytes())["stages"]
    return {name: (_names(stage.get("deps")), _names(stage.get("outs"))) for name, stage in content.items()}


def _names(paths: Any) -> list[str]:
    """Paths of dvc.yaml, each of which may have options."""
    return [next(iter(path)) if isinstance(path, dict) else path for path in paths or []]
