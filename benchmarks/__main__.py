"""Darkroom beside the usual way, measured on this machine: python -m benchmarks [NAME ...] [--repeats N] [--quick].

With real MNIST it needs some 7 GB in the temporary folder (TMPDIR), for what is written stays until the end.
Deleting it takes a minute, and for some minutes after that new files may be slow to make (table.Setting.folder says
why): a second run right after the first favours us.
"""

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks import (
    archives,
    augmentation,
    camera,
    comparison,
    data_path,
    dvc_tree,
    epoch,
    extract,
    loop,
    optimizers,
    photo_epoch,
    photos,
    scale,
    settings,
    streaming,
    suspects,
    tracking,
)
from benchmarks.table import Setting
from darkroom.base.console import run
from darkroom.base.errors import UserError

BENCHMARKS = {
    module.__name__.rpartition(".")[2]: module.run
    for module in (
        extract,
        data_path,
        epoch,
        loop,
        optimizers,
        augmentation,
        streaming,
        tracking,
        settings,
        dvc_tree,
        suspects,
        photos,
        camera,
        photo_epoch,
        scale,
        comparison,
    )
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Darkroom beside the usual way.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to run: {', '.join(BENCHMARKS)} (all)")
    parser.add_argument("--repeats", type=int, metavar="N", help="runs of each side, the best counts (3, quick: 1)")
    parser.add_argument("--quick", action="store_true", help="little work: shows that it runs, measures little")
    parser.add_argument(
        "--stream-mb", type=int, metavar="MB", help="size of the set that streaming reads (2048, quick: 64)"
    )
    parser.add_argument(
        "--lightning", type=Path, metavar="DIR", help="folder with pytorch_lightning, imported by its side alone"
    )
    parser.add_argument(
        "--flip", type=float, default=0.02, metavar="SHARE", help="labels made wrong for suspects (0.02)"
    )
    parser.add_argument("--folds", type=int, default=0, metavar="K", help="errors.train_folds of suspects (0)")
    parser.add_argument(
        "--most", type=int, metavar="N", help="small pictures of the largest set of scale (100000, quick: 5000)"
    )
    parser.add_argument(
        "--peers", type=Path, metavar="DIR", help="below it a folder of packages for each peer (comparison, kornia)"
    )
    parser.add_argument("--remote", metavar="URL", help="where dvc_tree pushes to, s3://... or ssh://... (a folder)")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        raise UserError(f"there is no benchmark {unknown[0]!r}: known are {', '.join(BENCHMARKS)}")
    repeats = (1 if options.quick else 3) if options.repeats is None else options.repeats
    stream_mb = (64 if options.quick else 2048) if options.stream_mb is None else options.stream_mb
    most = (5_000 if options.quick else 100_000) if options.most is None else options.most
    for option, value in (("--repeats", repeats), ("--stream-mb", stream_mb), ("--most", most)):
        if value < 1:
            raise UserError(f"{option} is {value}, but must be 1 or more")
    if not 0 < options.flip < 1:
        raise UserError(f"--flip is {options.flip}, but must be between 0 and 1")
    lightning = options.lightning.absolute() if options.lightning else None
    if lightning and not (lightning / "pytorch_lightning").is_dir():
        raise UserError(f"--lightning is {lightning}, but there is no pytorch_lightning in it: correct it, or leave it")
    with tempfile.TemporaryDirectory(prefix="darkroom-bench-") as folder:
        archive, title = archives.choose(Path(folder), quick=options.quick)
        setting = Setting(
            archive,
            title,
            Path(folder),
            repeats,
            options.quick,
            stream_mb,
            lightning,
            options.flip,
            options.folds,
            most,
            options.peers.absolute() if options.peers else None,
            options.remote,
        )
        for name in options.names or BENCHMARKS:
            started = time.perf_counter()
            for table in BENCHMARKS[name](setting):
                print(f"{table}\n")
            print(f"({name} took {time.perf_counter() - started:.0f} s)\n", flush=True)


if __name__ == "__main__":
    run(main)
