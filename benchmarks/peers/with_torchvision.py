"""Plain PyTorch with torchvision's ImageFolder: python -m benchmarks.peers.with_torchvision DATA EPOCHS SEED."""

import sys

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

folder, epochs, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.manual_seed(seed)
steps = [transforms.Grayscale(), transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))]
loaders = {
    name: DataLoader(
        datasets.ImageFolder(f"{folder}/{name}", transforms.Compose(steps)), 128, shuffle=name == "train", num_workers=2
    )
    for name in ("train", "val", "test")
}
model = nn.Sequential(
    *(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)),
    *(nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10)),
)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.001)


def accuracy(name: str) -> float:
    model.eval()
    with torch.no_grad():
        right = sum((model(images).argmax(1) == labels).sum().item() for images, labels in loaders[name])
    return right / len(loaders[name].dataset)


for epoch in range(epochs):
    model.train()
    for images, labels in loaders["train"]:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
    print(f"epoch {epoch + 1} val {accuracy('val'):.4f}")
torch.save(model.state_dict(), "weights.pt")
print(f"test {accuracy('test'):.4f}")
