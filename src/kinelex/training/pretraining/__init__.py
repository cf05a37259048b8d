"""The stage before: an encoder learns from signal without labels."""
