"""Ultralytics' classification without pretrained weights: python -m benchmarks.peers.with_ultralytics DATA EPOCHS SEED.

Flips and random crops of the defaults are for photos: a mirrored digit is none.
"""

import sys
from pathlib import Path

from ultralytics import YOLO

folder, epochs, seed = Path(sys.argv[1]).absolute(), int(sys.argv[2]), int(sys.argv[3])
model = YOLO("yolo26n-cls.yaml")
model.train(data=folder, epochs=epochs, seed=seed, imgsz=32, batch=128, workers=2, fliplr=0.0, scale=0.1, device="cpu")
Path(str(model.trainer.best)).rename("weights.pt")
print(f"test {YOLO('weights.pt').val(data=folder, split='test', imgsz=32, device='cpu').top1:.4f}")
