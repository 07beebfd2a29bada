"""The files of a trained model."""

from pathlib import Path

from darkroom.base.errors import UserError


def model_files(folder: str | Path) -> tuple[Path, Path]:
    """model.json and model.safetensors in a folder. Raises UserError where one is missing."""
    files = Path(folder) / "model.json", Path(folder) / "model.safetensors"
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        raise UserError(f"there is no {' and no '.join(missing)}: `dvc repro train` makes it, `dvc pull` fetches it")
    return files
