"""Prediction of masks and probabilities for images of any size with a trained network, in bounded memory."""

from underpaint.predict.config import PredictConfig
from underpaint.predict.folder import predict_folder
from underpaint.predict.heat import draw_responses
from underpaint.predict.predictor import Predictor
from underpaint.predict.results import Wanted
from underpaint.predict.uncertainty import UncertaintyPredictor, draw_uncertainty
from underpaint.predict.writing import Summary

__all__ = [
    "PredictConfig",
    "Predictor",
    "Summary",
    "UncertaintyPredictor",
    "Wanted",
    "draw_responses",
    "draw_uncertainty",
    "predict_folder",
]
