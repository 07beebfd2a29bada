"""The model as MLflow serves it: a column `image` of picture files (bytes) in, classes and probabilities out.

MLflow keeps this file as the model's code and runs it when the model is loaded.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

from darkroom.base.errors import UserError
from darkroom.classifier.inference import Classifier


class PictureModel(PythonModel):  # type: ignore[misc]
    """The classifier in MLflow's interface."""

    # Without this, MLflow warns that `predict` lacks its kind of type hints; the logged signature says the same.
    _skip_type_hint_validation = True

    def load_context(self, context: Any) -> None:
        # Both files lie in one folder of the logged model.
        self._classifier = Classifier.load(Path(context.artifacts["facts"]).parent)

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        """A table with one row a picture: label, its probability, and the probabilities of all classes in order.

        Raises MlflowException for a picture that cannot be read; the server then answers with status 400.
        """
        pictures = []
        for number, picture in enumerate(model_input["image"], 1):
            try:
                pictures.append(self._classifier.read(picture))
            except UserError as error:
                raise MlflowException.invalid_parameter_value(
                    f"picture {number} of {len(model_input)}: {error}"
                ) from None
        if not pictures:
            raise MlflowException.invalid_parameter_value("the column image holds no picture")
        probabilities = self._classifier.probabilities(np.stack(pictures)).astype(float)
        best = probabilities.argmax(axis=1)
        return pd.DataFrame(
            {
                "label": [self._classifier.classes[at] for at in best],
                "probability": probabilities.max(axis=1),
                "probabilities": probabilities.tolist(),
            }
        )


set_model(PictureModel())
