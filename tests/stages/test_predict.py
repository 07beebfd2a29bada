import numpy as np
import pandas as pd
import pytest

import darkroom
from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.classifier import voting
from darkroom.classifier.trained_network import TrainedNetwork
from darkroom.config.model_facts import ModelFacts
from darkroom.config.params import load
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


def with_sample(project, text, **changes):
    project.add(path="x", channels=1, image_size=8, submission="sample.csv", **changes)
    paths.SAMPLE.write_bytes(text)


def masked(table):
    """A table without what stands after the first comma of each line but the header."""
    head, *rows = table.splitlines(keepends=True)
    return [head, *(row.partition(b",")[0] + row[len(row.rstrip(b"\r\n")) :] for row in rows)]


def test_the_table_takes_the_form_of_the_sample_and_so_it_is_said(project, capsys):
    images, _ = prepare(project, unlabeled=4)
    rows = "".join(f'"img_{number}.png",0.3,0.3,0.4\r\n' for number in (63, 60, 61))
    sample = f'\ufeff"id",Class_1,class2,CLASS 0\r\n{rows}'.encode()
    with_sample(project, sample)
    predict.main()
    written = paths.SUBMISSION.read_bytes()
    assert masked(written) == masked(sample)
    assert written != sample
    found = pd.read_csv(paths.SUBMISSION, index_col="id")
    ours = darkroom.Classifier.load(paths.MODEL.parent)
    wanted = ours.probabilities(images[[63, 60, 61]])[:, [1, 2, 0]]
    assert found.to_numpy() == pytest.approx(wanted, rel=1e-4)
    assert capsys.readouterr().out.splitlines()[-2] == (
        "data/submission.csv: in the form of sample.csv (3 rows; a probability for each of 3 classes)"
    )


def test_copies_vote_as_in_evaluate(project):
    images, _ = prepare(project, unlabeled=4)
    with_sample(project, b"id,class 0,class 1,class 2\nimg_60,0,0,0\nimg_62,0,0,0\n")
    project.set(evaluate__tta__copies=3, evaluate__tta__changes=[{"salt_and_pepper": {"share": 0.5}}])
    predict.main()
    params, facts, rows = load()[0], ModelFacts.read(paths.MODEL), np.array([60, 62])
    ours = TrainedNetwork.load(paths.MODEL.parent)
    votes = voting.mean_probabilities(ours, images[rows], rows, voting.vote_of(facts, params.evaluate, ours))
    found = pd.read_csv(paths.SUBMISSION, index_col="id").to_numpy()
    assert found == pytest.approx(voting.tempered(votes, 1.0), rel=1e-4)
    assert found != pytest.approx(ours.probabilities(images[rows]), rel=1e-2)


def test_a_sample_is_checked_before_any_work(project):
    prepare(project, unlabeled=3)
    with_sample(project, b"id,label\nimg_60,class 0\nimg_99,class 0\n")
    paths.WEIGHTS.unlink()
    with pytest.raises(UserError, match=r"1 row of sample\.csv, of 2, names no picture without label"):
        predict.main()
    assert not paths.SUBMISSION.exists()
