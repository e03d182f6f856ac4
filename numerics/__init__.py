"""Simulation of associative memories: disorder samples by name, compiled dynamics, measurements with
errors."""
