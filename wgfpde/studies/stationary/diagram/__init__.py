"""Diagrams: branches of stationary states over a parameter, where they begin and end, and what is special on them."""
