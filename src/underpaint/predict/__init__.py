"""From a trained network and photographs of any size to masks and probabilities, in bounded memory."""

from underpaint.predict.config import PredictConfig
from underpaint.predict.doubts import UncertaintyPredictor, draw_doubts
from underpaint.predict.folder import Summary, predict_folder
from underpaint.predict.heat import draw_responses
from underpaint.predict.predictor import MASK_CRF, Predictor

__all__ = [
    "MASK_CRF",
    "PredictConfig",
    "Predictor",
    "Summary",
    "UncertaintyPredictor",
    "draw_doubts",
    "draw_responses",
    "predict_folder",
]
