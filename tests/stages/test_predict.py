import pandas as pd
import pytest

import darkroom
from darkroom.base import paths
from darkroom.base.errors import UserError
from stages import predict
from tests.stages.test_inside import prepare


def test_a_sheet_of_predictions_and_a_table(project, capsys):
    images, _ = prepare(project, unlabeled=50)
    project.add(path="x", channels=1, image_size=8, submission={"id": "Id", "label": "Class", "id_from": "number"})
    predict.main()
    table = pd.read_csv(paths.SUBMISSION)
    assert table.columns.tolist() == ["Id", "Class"]
    assert table["Id"].tolist() == list(range(60, 110))
    ours = darkroom.Classifier.load(paths.MODEL.parent)
    wanted = [ours.classes[at] for at in ours.probabilities(images[60:]).argmax(axis=1)]
    assert table["Class"].tolist() == wanted
    assert (paths.PREDICT_PICTURES / "contact_sheet.png").is_file()
    assert "50 images" in capsys.readouterr().out


def test_a_set_without_unlabelled_images_gets_a_header(project, capsys):
    prepare(project)
    predict.main()
    assert paths.SUBMISSION.read_text() == "path,label\n"
    assert (paths.PREDICT_PICTURES / "contact_sheet.png").is_file()
    assert "mine has no images without labels" in capsys.readouterr().out


def test_ids_are_checked_before_any_work(project):
    prepare(project, unlabeled=3)
    project.add(path="x", channels=1, image_size=8, submission={"id": "Id", "label": "Class", "id_from": "number"})
    index = pd.read_parquet(paths.INDEX)
    index["path"] = [f"new/cat{'x' * row}.png" for row in range(len(index))]
    index.to_parquet(paths.INDEX)
    with pytest.raises(UserError, match="no number in its name"):
        predict.main()
    assert not paths.SUBMISSION.exists()
