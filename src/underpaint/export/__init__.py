"""Trained networks as ONNX files, and ONNX Runtime as a faster engine on CPUs."""

from underpaint.export.engine import Engine, choose_forward
from underpaint.export.onnx_file import ExportReport, export_onnx
from underpaint.export.session import OnnxForward

__all__ = ["Engine", "ExportReport", "OnnxForward", "choose_forward", "export_onnx"]
