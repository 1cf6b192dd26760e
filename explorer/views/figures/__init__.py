"""Figures as for a paper: light SVG without the chrome of an app."""
