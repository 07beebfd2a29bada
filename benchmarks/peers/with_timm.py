"""timm's models, loaders, optimisers and schedules in a loop by hand, for its train.py is not in the package:

python -m benchmarks.peers.with_timm DATA EPOCHS SEED
"""

import sys

import timm
import torch
from timm.data import create_dataset, create_loader
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2
from timm.utils import accuracy, random_seed
from torch import nn

folder, epochs, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
random_seed(seed)
# Scale, crop and flip of the defaults are for photos: a mirrored digit is none.
loaders = {
    name: create_loader(
        create_dataset("", f"{folder}/{name}", input_img_mode="L"),
        input_size=(1, 28, 28),
        batch_size=128,
        is_training=name == "train",
        no_aug=True,
        crop_pct=1.0,
        mean=(0.1307,),
        std=(0.3081,),
        num_workers=2,
        device=torch.device("cpu"),
    )
    for name in ("train", "val", "test")
}
model = timm.create_model("resnet18", num_classes=10, in_chans=1)
optimizer = create_optimizer_v2(model, opt="adamw", lr=0.001, weight_decay=0.01)
steps = len(loaders["train"])
scheduler, _ = create_scheduler_v2(
    optimizer, sched="cosine", num_epochs=epochs, step_on_epochs=False, updates_per_epoch=steps
)


def measure(name: str) -> float:
    model.eval()
    with torch.no_grad():
        found = [(accuracy(model(images), labels)[0].item(), len(labels)) for images, labels in loaders[name]]
    return sum(share * count for share, count in found) / sum(count for _, count in found) / 100


for epoch in range(epochs):
    model.train()
    for step, (images, labels) in enumerate(loaders["train"]):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
        scheduler.step_update(epoch * steps + step + 1)
    print(f"epoch {epoch + 1} val {measure('val'):.4f}")
torch.save(model.state_dict(), "weights.pt")
print(f"test {measure('test'):.4f}")
