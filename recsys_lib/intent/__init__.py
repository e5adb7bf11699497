"""User intent: a sentence steers the list."""

from recsys_lib.intent import requests, steering
from recsys_lib.intent.facets import Facet, vocabulary
from recsys_lib.intent.parser import Calibration, Intent, IntentParser

__all__ = ["Calibration", "Facet", "Intent", "IntentParser", "requests", "steering", "vocabulary"]
