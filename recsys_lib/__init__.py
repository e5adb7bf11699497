"""recsys_lib: the library behind the tutorial on making recommendations diverse with large pretrained models."""

__version__ = "0.1.0"
