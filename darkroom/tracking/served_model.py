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
    """Loads model.json and model.safetensors, which lie in one folder of the logged model."""

    # Else MLflow warns that `predict` has no type hints of its own form; the signature that is logged says the same.
    _skip_type_hint_validation = True

    def load_context(self, context: Any) -> None:
        self._classifier = Classifier.load(Path(context.artifacts["facts"]).parent)

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        """For each picture its class, the probability of that class, and those of all classes in their order.

        Raises MlflowException, which the server answers with status 400, where a picture cannot be read.
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
