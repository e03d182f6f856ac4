"""Kalaj, Lauditi, Perugini, Lucibello, Malatesta, Negri, arXiv:2407.05658: retrieval of unseen examples."""
