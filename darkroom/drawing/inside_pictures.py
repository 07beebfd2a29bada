"""The pictures of the stage `inside`, one file each."""

from pathlib import Path

from darkroom.analysis.network_findings import Data, Findings
from darkroom.drawing import network_charts, style


def write(folder: Path, found: Findings, data: Data) -> None:
    """Write a PNG file to `folder` for each finding that is not empty."""
    if found.filters is not None:
        name, weights = found.filters
        style.save(network_charts.filters(weights, name), folder / "filters.png")
    if found.kernels is not None:
        name, weights = found.kernels
        style.save(network_charts.kernels(weights, name), folder / "kernels.png")
    if found.maps:
        pictures = data.images[found.shown["row"].to_numpy()]
        names = [data.classes[label] for label in found.shown["label"]]
        style.save(network_charts.activations(pictures, names, found.maps), folder / "activations.png")
    if found.dead or found.idle:
        style.save(network_charts.dead(found.dead, found.idle), folder / "dead.png")
    if found.feature_map is not None:
        places = found.feature_map
        picture = network_charts.feature_map(places.places, places.centres, data.classes, places.shown, places.of)
        style.save(picture, folder / "map.png")
