"""What predict cannot do without: decode each photo at a fraction of its size, shrink it, run the network; one thread.

    python -m benchmarks.predict_floor FOLDER_OF_MODEL_ONNX FOLDER_OF_PICTURES

A script as one writes it by hand, without Darkroom: squashed to the size of the network, no progress, no errors.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from PIL import Image


def main() -> None:
    folder, pictures = map(Path, sys.argv[1:])
    cv2.setNumThreads(1)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
    name, side = session.get_inputs()[0].name, session.get_inputs()[0].shape[1]
    for file in sorted(pictures.rglob("*.jpg")):
        with Image.open(file) as picture:  # reads the head alone
            short, factor = min(picture.size), 1
        while factor < 8 and short >= 4 * factor * side:
            factor *= 2
        pixels = cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_COLOR_RGB | (8 * factor if factor > 1 else 0))
        pixels = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)
        probabilities = session.run(None, {name: pixels[np.newaxis]})[0]
        print(f"{file},{probabilities[0].argmax()}")


if __name__ == "__main__":
    main()
