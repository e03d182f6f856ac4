"""Figures of published papers, drawn from records: one folder per paper."""
