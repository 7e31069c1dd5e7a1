"""Tables for examples, offline: the UCI Adult table, and loan applicants drawn at random."""

from ._adult import load_adult
from ._applicants import make_applicants

__all__ = ["load_adult", "make_applicants"]
