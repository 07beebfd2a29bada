"""Figures of epochs and steps in MLflow: under their names, in as few requests as may be."""

from darkroom.tracking import epoch_metrics


def test_the_figures_of_an_epoch_go_in_one_request():
    asked = []

    class Client:
        def log_batch(self, run_id, metrics):
            asked.append({metric.key: (metric.value, metric.step) for metric in metrics})

    epoch_metrics.log(Client(), "id", {"epoch": 3, "train_loss": 0.5, "val_loss": 0.25, "val_kappa": 0.75, "lr": 0.1})
    assert asked == [{"train_loss": (0.5, 3), "val_loss": (0.25, 3), "val_kappa": (0.75, 3), "lr": (0.1, 3)}]


def test_the_figures_of_many_steps_go_in_requests_that_a_server_takes():
    asked = []

    class Client:
        def log_batch(self, run_id, metrics):
            asked.append([(metric.key, metric.step) for metric in metrics])

    steps = [{"step": number, "step_lr": 0.1, "step_train_loss": 2.0} for number in range(1, 702)]
    epoch_metrics.log(Client(), "id", {"epoch": 3, "val_loss": 0.25}, steps)
    assert [len(request) for request in asked] == [1, 1000, 402]
    assert asked[1] + asked[2] == [(name, one["step"]) for one in steps for name in ("step_lr", "step_train_loss")]
