"""DICOM files made on the fly by pydicom, with any elements."""

import io

import numpy as np


def dicom(pixels, *, packed=None, syntax="1.2.840.10008.1.2.1", without=(), **elements):
    """A DICOM file of an array (height x width, or height x width x 3). `packed` is a JPEG inside; `elements` replace
    what fits the array, and those in `without` are left out."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID

    bits = 8 * pixels.dtype.itemsize
    facts = {
        "SamplesPerPixel": 1 if pixels.ndim == 2 else 3,
        "PhotometricInterpretation": "MONOCHROME2" if pixels.ndim == 2 else "RGB",
        "Rows": pixels.shape[0], "Columns": pixels.shape[1],
        "BitsAllocated": bits, "BitsStored": bits, "HighBit": bits - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
    } | ({"PlanarConfiguration": 0} if pixels.ndim == 3 else {}) | elements  # fmt: skip
    dataset = Dataset()
    for name, value in facts.items():
        if name not in without:
            setattr(dataset, name, value)
    if "PixelData" not in without:
        dataset.PixelData = encapsulate([packed]) if packed else np.ascontiguousarray(pixels).tobytes()
        dataset["PixelData"].VR = "OB" if bits == 8 else "OW"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.7")
    dataset.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3")
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()
