"""The stage in which windows and label texts come into one space."""
