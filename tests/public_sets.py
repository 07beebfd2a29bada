"""Imitations of the sets on docs/public-sets.md: of each, the files of an archive, and what becomes of its pictures."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests import make


def csv(*lines):
    return "".join(line + "\n" for line in lines).encode()


def rows_of_pixels(labels, side=28):
    """Pictures of random pixels as lines of a CSV, with or without labels."""
    header = ",".join([*(["label"] if labels[0] is not None else []), *(f"pixel{at}" for at in range(side * side))])
    lines = [
        ",".join([*([str(label)] if label is not None else []), *map(str, make.pixels(side, side, 1, seed).ravel())])
        for seed, label in enumerate(labels)
    ]
    return csv(header, *lines)


def parquet(labels, names, seed):
    """A shard as Hugging Face writes it: pictures as bytes, labels as numbers, their names in the schema."""
    rows = [
        {"image": {"bytes": make.picture(seed + at, 12, 12, 3, "JPEG"), "path": f"{at}.jpg"}, "labels": label}
        for at, label in enumerate(labels)
    ]
    features = {"image": {"_type": "Image"}, "labels": {"names": names, "_type": "ClassLabel"}}
    table = pa.Table.from_pylist(rows)
    file = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})}), file)
    return file.getvalue()


def npz(**labels):
    """Arrays of colour pictures and of their labels, by part, as MedMNIST has them."""
    arrays = {}
    for seed, (part, own) in enumerate(labels.items()):
        arrays[f"{part}_images"] = np.stack([make.pixels(28, 28, 3, 10 * seed + at) for at in range(len(own))])
        arrays[f"{part}_labels"] = np.array(own)[:, None]
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def fer2013(*rows):
    """Pictures of 48 x 48 as one field of numbers, with a label and a subset each."""
    lines = [
        f"{label},{' '.join(map(str, make.pixels(48, 48, 1, seed).ravel()))},{usage}"
        for seed, (label, usage) in enumerate(rows)
    ]
    return csv("emotion,pixels,Usage", *lines)


def seven_zip(files):
    import py7zr

    file = io.BytesIO()
    with py7zr.SevenZipFile(file, "w") as packed:
        for path, content in files.items():
            packed.writestr(content, path)
    return file.getvalue()


def pictures(*paths):
    """A picture at each path, in the format that its ending names."""
    forms = {"jpg": "JPEG", "jpeg": "JPEG", "JPEG": "JPEG", "JPG": "JPEG", "tif": "TIFF", "png": "PNG"}
    return {
        path: make.picture(seed, 12, 12, 3, forms[path.rpartition(".")[2]]) for seed, path in enumerate(sorted(paths))
    }


def beside(expected, **more):
    """The pictures that are expected, each at its path, and other files."""
    return pictures(*expected) | more, expected


def nested(expected, archive, pack):
    """Some of the expected pictures inside an archive of their own."""
    inside = f"{archive.partition('.')[0]}/"
    within = {path.removeprefix(inside): data for path, data in pictures(*expected).items() if path.startswith(inside)}
    return {archive: pack(within)}


def dogs_vs_cats():
    expected = {
        "train/train/cat.0.jpg": "cat train",
        "train/train/dog.0.jpg": "dog train",
        "test/test/1.jpg": " unlabeled",
    }
    files = nested(expected, "train.zip", make.zip_of) | nested(expected, "test.zip", make.zip_of)
    return files | {"sample_submission.csv": csv("id,label", "1,0.5")}, expected


def cifar10_competition():
    expected = {"train/train/1.png": "frog train", "train/train/2.png": "truck train", "test/test/1.png": " unlabeled"}
    files = nested(expected, "train.7z", seven_zip) | nested(expected, "test.7z", seven_zip)
    tables = {
        "trainLabels.csv": csv("id,label", "1,frog", "2,truck"),
        "sampleSubmission.csv": csv("id,label", "1,frog"),
    }
    return files | tables, expected


def leaf_classification():
    expected = {
        "images/images/1.jpg": "Acer_Opalus train",
        "images/images/2.jpg": "Quercus_Rubra train",
        "images/images/3.jpg": " unlabeled",
    }
    tables = {
        "train.csv": csv("id,species,margin1", "1,Acer_Opalus,0.1", "2,Quercus_Rubra,0.2"),
        "sample_submission.csv": csv("id,Acer_Opalus,Quercus_Rubra", "3,0.5,0.5"),
    }
    return (
        nested(expected, "images.zip", make.zip_of)
        | {f"{name}.zip": make.zip_of({name: content}) for name, content in tables.items()},
        expected,
    )


def oxford_pets():
    expected = {
        "images/images/Abyssinian_1.jpg": "Abyssinian train",
        "images/images/english_cocker_spaniel_6.jpg": "english_cocker_spaniel train",
        "images/images/english_cocker_spaniel_7.jpg": "english_cocker_spaniel test",
    }
    lists = {
        "annotations/trainval.txt": csv("Abyssinian_1 1 1 1", "english_cocker_spaniel_6 13 2 5"),
        "annotations/test.txt": csv("english_cocker_spaniel_7 13 2 5"),
    }
    masks = pictures("annotations/trimaps/Abyssinian_1.png")
    archives = nested(expected, "images.tar.gz", lambda files: make.tar_of(files, "gz"))
    return archives | {"annotations.tar.gz": make.tar_of(lists | masks, "gz")}, expected


def beans():
    names = ["angular_leaf_spot", "bean_rust", "healthy"]
    files, expected = {}, {}
    for seed, (part, subset) in enumerate((("train", "train"), ("validation", "val"), ("test", "test"))):
        path = f"data/{part}-00000-of-00001.parquet"
        files[path] = parquet([0, 1, 2], names, 10 * seed)
        expected |= {f"{path}#{at}": f"{name} {subset}" for at, name in enumerate(names)}
    return files, expected


def digit_recognizer():
    files = {"train.csv": rows_of_pixels([7, 3, 0]), "test.csv": rows_of_pixels([None])}
    sample = {"sample_submission.csv": csv("ImageId,Label", "1,0")}
    return files | sample, {
        "train.csv#0": "7 train",
        "train.csv#1": "3 train",
        "train.csv#2": "0 train",
        "test.csv#0": " unlabeled",
    }


def sign_language_mnist():
    files = {"sign_mnist_train.csv": rows_of_pixels([0, 4]), "sign_mnist_test.csv": rows_of_pixels([6, 4])}
    copies = {f"{path.removesuffix('.csv')}/{path}": content for path, content in files.items()}
    return copies | files, {
        "sign_mnist_train.csv#0": "0 train",
        "sign_mnist_train.csv#1": "4 train",
        "sign_mnist_test.csv#0": "6 test",
        "sign_mnist_test.csv#1": "4 test",
    }


def plantvillage():
    expected = {
        f"plantvillage dataset/color/{leaf}/7___RS_HL 1.JPG": f"{leaf} train"
        for leaf in ("Apple___healthy", "Corn_(maize)___rust")
    }
    copies = [path.replace("/color/", f"/{form}/") for path in expected for form in ("grayscale", "segmented")]
    return pictures(*expected, *copies), expected


SETS = {
    "digit_recognizer": digit_recognizer(),
    "dogs_vs_cats": dogs_vs_cats(),
    "dog_breed": beside(
        {"train/a0.jpg": "beagle train", "train/b1.jpg": "basenji train", "test/c2.jpg": " unlabeled"},
        **{
            "labels.csv": csv("id,breed", "a0,beagle", "b1,basenji"),
            "sample_submission.csv": csv("id,basenji,beagle", "c2,0.5,0.5"),
        },
    ),
    "cifar10_competition": cifar10_competition(),
    "aptos2019": beside(
        {"train_images/a0.png": "0 train", "train_images/b1.png": "4 train", "test_images/c2.png": " unlabeled"},
        **{
            "train.csv": csv("id_code,diagnosis", "a0,0", "b1,4"),
            "test.csv": csv("id_code", "c2"),
            "sample_submission.csv": csv("id_code,diagnosis", "c2,0"),
        },
    ),
    "cassava": beside(
        {"train_images/10.jpg": "0 train", "train_images/11.jpg": "3 train", "test_images/22.jpg": " unlabeled"},
        **{
            "train.csv": csv("image_id,label", "10.jpg,0", "11.jpg,3"),
            "sample_submission.csv": csv("image_id,label", "22.jpg,3"),
            "label_num_to_disease_map.json": json.dumps({"0": "blight", "3": "mosaic"}).encode(),
            "train_tfrecords/ld_train00-1338.tfrec": bytes(100),
        },
    ),
    "histopathologic_cancer": beside(
        {"train/a0.tif": "0 train", "train/b1.tif": "1 train", "test/c2.tif": " unlabeled"},
        **{
            "train_labels.csv": csv("id,label", "a0,0", "b1,1"),
            "sample_submission.csv": csv("id,label", "c2,0"),
        },
    ),
    "leaf_classification": leaf_classification(),
    "plant_seedlings": beside(
        {
            "train/Charlock/a.png": "Charlock train",
            "train/Sugar beet/b.png": "Sugar beet train",
            "test/c.png": " unlabeled",
        },
        **{"sample_submission.csv": csv("file,species", "c.png,Sugar beet")},
    ),
    "state_farm": beside(
        {
            "imgs/train/c0/img_1.jpg": "c0 train p002",
            "imgs/train/c9/img_2.jpg": "c9 train p012",
            "imgs/test/img_3.jpg": " unlabeled",
        },
        **{
            "driver_imgs_list.csv": csv("subject,classname,img", "p002,c0,img_1.jpg", "p012,c9,img_2.jpg"),
            "sample_submission.csv": csv("img,c0,c9", "img_3.jpg,0.5,0.5"),
        },
    ),
    "imagenet": beside(
        {
            "ILSVRC/Data/CLS-LOC/train/n01440764/n01440764_1.JPEG": "n01440764 train",
            "ILSVRC/Data/CLS-LOC/train/n01443537/n01443537_1.JPEG": "n01443537 train",
            "ILSVRC/Data/CLS-LOC/val/ILSVRC2012_val_00000001.JPEG": "n01443537 val",
            "ILSVRC/Data/CLS-LOC/test/ILSVRC2012_test_00000001.JPEG": " unlabeled",
        },
        **{
            "LOC_val_solution.csv": csv(
                "ImageId,PredictionString", "ILSVRC2012_val_00000001,n01443537 1 2 30 40 n01443537 5 6 7 8 "
            )
        },
    ),
    "ham10000": beside(
        {"HAM10000_images_part_1/ISIC_1.jpg": "nv train HAM_1", "HAM10000_images_part_2/ISIC_2.jpg": "mel train HAM_2"},
        **{
            "HAM10000_metadata.csv": csv("lesion_id,image_id,dx,age", "HAM_1,ISIC_1,nv,50", "HAM_2,ISIC_2,mel,60"),
            "hmnist_8_8_L.csv": rows_of_pixels([2], 8),
        },
    ),
    "chest_xray": beside(
        {
            "chest_xray/train/NORMAL/IM-0115-0001.jpeg": "NORMAL train 0115",
            "chest_xray/train/PNEUMONIA/person1_bacteria_1.jpeg": "PNEUMONIA train person1",
            "chest_xray/val/NORMAL/IM-0200-0001.jpeg": "NORMAL val 0200",
            "chest_xray/test/PNEUMONIA/person9_virus_2.jpeg": "PNEUMONIA test person9",
        },
        **{"chest_xray/__MACOSX/train/NORMAL/._IM-0115-0001.jpeg": bytes(80)},
    ),
    "intel_scenes": beside(
        {
            "seg_train/seg_train/sea/1.jpg": "sea train",
            "seg_train/seg_train/street/2.jpg": "street train",
            "seg_test/seg_test/sea/2.jpg": "sea test",
            "seg_pred/seg_pred/3.jpg": " unlabeled",
        }
    ),
    "brain_tumor_mri": beside(
        {
            "Training/glioma/Tr-gl_0010.jpg": "glioma train",
            "Training/notumor/Tr-no_0010.jpg": "notumor train",
            "Testing/notumor/Te-no_0010.jpg": "notumor test",
        }
    ),
    "fer2013": beside(
        {
            "train/angry/Training_1.jpg": "angry train",
            "train/happy/Training_2.jpg": "happy train",
            "test/happy/PublicTest_2.jpg": "happy test",
        }
    ),
    "plantvillage": plantvillage(),
    "sign_language_mnist": sign_language_mnist(),
    "oxford_pets": oxford_pets(),
    "beans": beans(),
}  # fmt: skip
