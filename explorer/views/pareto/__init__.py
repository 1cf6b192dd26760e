"""The Pareto plot as values: its axes, its points, who is on the frontier, and what is to be said.

The app draws it as text (`tui/drawing/pareto.py`), `pe-explore figure` as a picture
(`views/figures/pareto_svg.py`).
"""
