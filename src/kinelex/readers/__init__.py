"""Files into recordings: CSV and Parquet, tidy or wide, phone-logger exports, and aeon's BasicMotions.

`read` gives one recording, `read_sessions` all of a file; each other module here is one step on that way.
"""

from kinelex.readers.basic_motions import basic_motions
from kinelex.readers.reading import read, read_sessions
from kinelex.readers.request import FORMATS

__all__ = ["FORMATS", "basic_motions", "read", "read_sessions"]
