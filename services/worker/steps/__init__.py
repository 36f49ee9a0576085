"""How the worker runs each step: what it reads back, computes and writes. `services/steps` says what the steps are."""
