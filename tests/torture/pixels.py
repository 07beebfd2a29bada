"""One sha256 of all pixels that the pictures of a zip become: equal on every processor, with and without its SIMD.

    python -m tests.torture.pixels camera.zip [SIDE]
    OPENCV_CPU_DISABLE=AVX2,FMA3,AVX,FP16,SSE4.2,SSE4.1,SSSE3 python -m tests.torture.pixels camera.zip
    qemu-x86_64 -cpu Nehalem $(command -v python) -m tests.torture.pixels camera.zip

Each picture is decoded to grey and to colour, squashed, cropped and padded to SIDE (224), at the fraction of its size
that this allows; and once to colour in full, and squashed, as pictures of other formats are.
"""

import hashlib
import sys
import zipfile

from darkroom.pictures.decoding import Target, decode, read
from darkroom.pictures.resizing import resize


def main() -> None:
    archive, side = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 224
    reduced, full, count = hashlib.sha256(), hashlib.sha256(), 0
    with zipfile.ZipFile(archive) as packed:
        for name in sorted(packed.namelist()):
            data = packed.read(name)
            for channels in (1, 3):
                for how in ("squash", "crop", "pad"):
                    reduced.update(decode(data, Target((side, side, channels), how))[0].tobytes())
            full.update(resize(read(data, 3)[0], (side, side, 3)).tobytes())
            count += 1
    print(f"{count} pictures at {side}: {reduced.hexdigest()}, in full {full.hexdigest()}")


if __name__ == "__main__":
    main()
