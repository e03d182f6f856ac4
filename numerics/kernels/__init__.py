"""Compiled functions on plain arrays.  Arguments are validated by the callers, never here."""
