"""fastai's vision_learner: python -m benchmarks.peers.with_fastai DATA EPOCHS SEED."""

import sys

from fastai.vision.all import ImageDataLoaders, accuracy, get_image_files, resnet18, set_seed, vision_learner

folder, epochs, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
set_seed(seed, reproducible=True)
loaders = ImageDataLoaders.from_folder(folder, train="train", valid="val", seed=seed, bs=128, num_workers=2)
learner = vision_learner(loaders, resnet18, pretrained=False, metrics=accuracy, path=".", model_dir=".")
learner.fit_one_cycle(epochs, 0.003)
learner.save("weights")
test = loaders.test_dl(get_image_files(f"{folder}/test"), with_labels=True)
print(f"test {learner.validate(dl=test)[1]:.4f}")
