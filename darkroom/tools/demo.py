"""A web page on this machine that classifies a picture (dropped, drawn or photographed) and shows why.

It listens on 127.0.0.1 alone, loads nothing from other hosts, and keeps no picture.
"""

import html
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import matplotlib
import numpy as np
from numpy.typing import NDArray

from darkroom.analysis.gradcam import heat_maps, last_feature_map
from darkroom.base import paths
from darkroom.base.console import bar
from darkroom.base.errors import UserError
from darkroom.classifier.inference import Classifier
from darkroom.config.image_sizes import middle
from darkroom.config.model_facts import ModelFacts
from darkroom.config.stage_files import Evaluation
from darkroom.dataset.neighbours import nearest
from darkroom.dataset.packed import Images, Labels, Rows, chunks, images_if_like, labels_of, load_index, load_split
from darkroom.pictures.decoding import Pixels
from darkroom.tools.ports import HOST

TOP = 5  # classes shown
NEAREST = 8  # training images shown
MAX_COMPARED = 20_000  # training images among which the nearest are sought
SHOWN_SIDE = 280  # pixels that the longer side of a picture has at least on the page
CANVAS = 400  # pixels of a side of the drawing
PEN, PEN_COLOUR = 16, "#0072B2"  # radius in pixels; a colour that is visible on a light and on a dark page
# Gradio's drawing starts without a tool, in a tab that is built when it is first shown: wait for it, take the brush.
TAKE_PEN = """() => {
    const wait = setInterval(() => {
        const brush = document.querySelector("#sketch [aria-label=Brush]");
        if (!brush) return;
        clearInterval(wait);
        if (!brush.dataset.taken) brush.click();
        brush.dataset.taken = "yes";
    }, 50);
}"""
SMALL, NEARLY = 64, 0.1  # pixels of a side; difference of values between 0 and 1: what drawings are told by
MNIST_SHARE = 20 / 28  # share of the image's side that a digit of MNIST takes


@dataclass(frozen=True)
class Known:
    """Training images with the features that the network gives them."""

    images: Images
    rows: Rows
    labels: Labels
    features: NDArray[np.float32]


@dataclass(frozen=True)
class Paper:
    """How a drawing is turned into an image."""

    ground: NDArray[np.float64]  # the background, one value a channel, 0 to 255
    stroke: float  # the value of the stroke, 0 or 255
    share: float  # of the image's side that the drawing takes


def run(folder: Path, port: int) -> None:
    """Serve the page until Ctrl+C. Raises UserError where the model is missing."""
    classifier = Classifier.load(folder)
    facts = ModelFacts.read(folder / paths.MODEL.name)
    known = known_images(classifier)
    with TemporaryDirectory() as uploads:
        os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": uploads}
        paper = paper_for(facts, known) if are_drawings(facts) else None
        page = build(classifier, known, paper, heading(facts, folder))
        launch(page, port)
        print(f"http://{HOST}:{port} classifies pictures, Ctrl+C ends it", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            page.close(verbose=False)


def heading(facts: ModelFacts, folder: Path) -> tuple[str, str]:
    """The name of the data set, and one line on the model, in plain text."""
    known = f"{facts.model.name}, {len(facts.classes):,} classes"
    # The accuracy in metrics/ is that of the pipeline's own model, not of any other.
    if paths.EVALUATE.is_file() and folder.resolve() == paths.MODEL.parent.resolve():
        known += f", test accuracy {Evaluation.read(paths.EVALUATE).test.accuracy:.2%}"
    return facts.dataset, known


def known_images(classifier: Classifier) -> Known | None:
    """The training images with their features (at most `MAX_COMPARED`); None where this model's data are not here."""
    images = images_if_like(classifier.classes, classifier.shape)
    if images is None:
        return None
    rows = load_split("train")
    if len(rows) > MAX_COMPARED:
        rows = np.sort(np.random.default_rng(0).choice(rows, MAX_COMPARED, replace=False))
    features = []
    with bar(what="features of the training images", unit="image", total=len(rows)) as shown:
        for _, part in chunks(images, rows):
            for start in range(0, len(part), 512):
                features.append(classifier.features(part[start : start + 512]))
                shown.update(len(features[-1]))
    return Known(images, rows, labels_of(load_index(), rows), np.concatenate(features))


def paper_for(facts: ModelFacts, known: Known | None) -> Paper:
    """The paper that fits this model: the background of its training images, and a stroke of the opposite brightness.

    The drawing's size is the median size of the foreground of the training images; without them, that of MNIST.
    """
    ground = np.array(facts.border) * 255
    share = MNIST_SHARE
    if known is not None:
        some = known.images[known.rows[:: max(1, len(known.rows) // 1000)]]
        stands_out = (np.abs(some - ground) > 64).any(axis=3)
        sides = [_extent(stands_out.any(axis=axis)) / stands_out.shape[3 - axis] for axis in (1, 2)]
        share = float(np.median(np.maximum(*sides))) or MNIST_SHARE
    return Paper(ground, 255.0 if ground.mean() < 128 else 0.0, share)


def are_drawings(facts: ModelFacts) -> bool:
    """Whether a person can draw what this model knows: small pictures of one colour on plain paper.

    It follows from model.json alone: sides of at most 64 pixels; one channel, or channels that hardly differ in mean
    and deviation; and borders that are nearly black or nearly white, as paper is.
    """
    one_colour = max(np.ptp(facts.mean), np.ptp(facts.std)) < NEARLY
    plain = bool(facts.border) and (max(facts.border) < NEARLY or min(facts.border) > 1 - NEARLY)
    return max(facts.height, facts.width) <= SMALL and bool(one_colour) and plain


def _extent(lines: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The length from the first to the last true value of each row, both included; 0 where there is none."""
    from_start, from_end = lines.argmax(axis=1), lines[:, ::-1].argmax(axis=1)
    extent: NDArray[np.int64] = np.where(lines.any(axis=1), lines.shape[1] - from_start - from_end, 0)
    return extent


def drawing_as_image(ink: NDArray[np.uint8], paper: Paper, shape: tuple[int, int, int]) -> Pixels | None:
    """Turn a drawing (uint8, height x width, 255 where there is ink) into an image of `shape`; None without ink.

    The method is MNIST's (LeCun et al. 1998, doi:10.1109/5.726791): the drawing is scaled to a share of the image's
    side, and its centre of mass is put into the middle of the image, as far as the drawing then stays inside.
    """
    # 1. Cut out the ink, and scale it.
    height, width, channels = shape
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows):
        return None
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = min(height, width) * paper.share / max(cut.shape)
    size = [max(1, round(side * scale)) for side in cut.shape]
    shrunk = cv2.resize(cut, (size[1], size[0]), interpolation=cv2.INTER_AREA).astype(np.float64)
    # 2. Place it by its centre of mass.
    weight = max(shrunk.sum(), 1.0)
    coverage = np.zeros((height, width))
    corner = []
    for axis, side in enumerate((height, width)):
        centre = (shrunk.sum(axis=1 - axis) * (np.arange(size[axis]) + 0.5)).sum() / weight
        corner.append(int(np.clip(round(side / 2 - centre), 0, side - size[axis])))
    coverage[corner[0] : corner[0] + size[0], corner[1] : corner[1] + size[1]] = shrunk / 255
    # 3. Colour it: ground without ink, stroke with ink.
    image = paper.ground + (paper.stroke - paper.ground) * coverage[..., np.newaxis]
    result: Pixels = np.broadcast_to(image, (height, width, channels)).round().astype(np.uint8)
    return result


def explain(
    classifier: Classifier, known: Known | None, picture: Pixels
) -> tuple[dict[str, float], Pixels, Pixels | None, list[tuple[Pixels, str]]]:
    """What the page shows for a picture as the network gets it (uint8, height x width x channels).

    The probabilities of the best classes; what the network sees of the picture, enlarged; the same under its Grad-CAM
    heat map for the best class, None where the network has no feature map; the training images with the most similar
    features, each with its class and the cosine.
    """
    batch = picture[np.newaxis].copy()
    probabilities = classifier.probabilities(batch)[0]
    best = np.argsort(-probabilities, kind="stable")[:TOP]
    layer = last_feature_map(classifier.network, classifier.shape)
    seen = middle(classifier.shape, classifier.seen)
    near = []
    if known is not None:
        everywhere = [(np.arange(len(known.rows)), known.features)]
        found = nearest(classifier.features(batch), everywhere, NEAREST, "cosine")
        for at, distance in zip(found.rows[0], found.distances[0], strict=True):
            if at >= 0:  # there may be fewer
                name = classifier.classes[known.labels[at]]
                near.append((enlarged(known.images[known.rows[at]]), f"{name} ({1 - distance:.2f})"))
    return (
        {classifier.classes[at]: float(probabilities[at]) for at in best},
        enlarged(picture[seen]),
        None if layer is None else overlay(picture[seen], heat_maps(classifier, layer, batch, best[:1])[0][seen]),
        near,
    )


def enlarged(picture: Pixels) -> Pixels:
    """The picture in RGB, enlarged by a whole factor, so that its pixels become squares."""
    factor = max(1, -(-SHOWN_SIDE // max(picture.shape[:2])))
    rgb = np.broadcast_to(picture, (*picture.shape[:2], 3))
    return rgb.repeat(factor, axis=0).repeat(factor, axis=1)


def overlay(picture: Pixels, heat: NDArray[np.float32]) -> Pixels:
    """The picture, enlarged and in grey, under a heat map (height x width, 0 to 1) in colour."""
    shown = enlarged(picture)
    colours = matplotlib.colormaps["inferno"](cv2.resize(heat, shown.shape[1::-1]).clip(0, 1))[..., :3] * 255
    grey = shown.mean(axis=2, keepdims=True)
    mixed: Pixels = (0.4 * grey + 0.6 * colours).round().astype(np.uint8)
    return mixed


def build(classifier: Classifier, known: Known | None, paper: Paper | None, head: tuple[str, str]) -> Any:
    """The page (gradio.Blocks), for drawings too where there is `paper`. `head`: its title, and a line under it."""
    import gradio

    def shown_for(picture: Pixels | None) -> tuple[Any, ...]:
        return (None,) * 4 if picture is None else explain(classifier, known, picture)

    def classify_file(file: str | None) -> tuple[Any, ...]:
        try:
            return shown_for(classifier.read(Path(file).read_bytes()) if file else None)
        except UserError as error:
            raise gradio.Error(html.escape(str(error)), print_exception=False) from None

    def classify_drawing(sketch: dict[str, Any] | None) -> tuple[Any, ...]:
        layers = [layer[..., 3] for layer in (sketch or {}).get("layers", [])]
        if paper is None or not layers:
            return shown_for(None)
        return shown_for(drawing_as_image(np.max(layers, axis=0), paper, classifier.shape))

    has_maps = explain(classifier, None, np.zeros(classifier.shape, np.uint8))[2] is not None
    still: dict[str, Any] = {"interactive": False, "show_label": False, "buttons": []}
    with gradio.Blocks(title=head[0], analytics_enabled=False) as page:
        gradio.HTML(f"<h1>{html.escape(head[0])}</h1><p>{html.escape(head[1])}</p>")
        with gradio.Row():
            with gradio.Column(min_width=CANVAS), gradio.Tabs():
                with gradio.Tab("Picture"):
                    picture = gradio.Image(show_label=False, height=CANVAS + 100)
                    # Pass the file on undecoded, so that Darkroom's reader can say what is wrong with it.
                    picture.preprocess = lambda file: file.path if file else None
                with gradio.Tab("Drawing", visible=paper is not None) as drawing:
                    sketch = gradio.Sketchpad(
                        elem_id="sketch",
                        show_label=False,
                        height=CANVAS + 100,
                        canvas_size=(CANVAS, CANVAS),
                        fixed_canvas=True,
                        layers=False,
                        transforms=(),
                        brush=gradio.Brush(default_size=PEN, colors=[PEN_COLOUR], color_mode="fixed"),
                    )
            with gradio.Column(min_width=CANVAS):
                label = gradio.Label(show_label=False, num_top_classes=min(TOP, len(classifier.classes)))
                with gradio.Row():
                    with gradio.Column(min_width=120):
                        gradio.HTML("What the network sees")
                        seen = gradio.Image(**still)
                    with gradio.Column(min_width=120, visible=has_maps):
                        gradio.HTML("Where it looks (Grad-CAM)")
                        heat = gradio.Image(**still)
        with gradio.Column(visible=known is not None):
            gradio.HTML("Nearest training images: class (cosine of the features)")
            near = gradio.Gallery(columns=NEAREST, height=200, object_fit="contain", **still)
        shown = [label, seen, heat, near]
        drawing.select(None, js=TAKE_PEN)
        picture.change(classify_file, picture, shown, api_name="picture", show_progress="hidden")
        sketch.change(
            classify_drawing, sketch, shown, api_name="drawing", show_progress="hidden", trigger_mode="always_last"
        )
    return page


def launch(page: Any, port: int) -> None:
    """Start the server of the page, in a thread of its own."""
    import gradio

    page.launch(
        server_name=HOST,
        server_port=port,
        prevent_thread_lock=True,
        quiet=True,
        share=False,
        ssr_mode=False,
        run_history=False,
        footer_links=[],
        # System fonts: Gradio's own would be fetched from Google.
        theme=gradio.themes.Base(font=("system-ui", "sans-serif"), font_mono=("ui-monospace", "monospace")),
    )
