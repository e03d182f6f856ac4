"""One file per model; a model is found by being here."""
