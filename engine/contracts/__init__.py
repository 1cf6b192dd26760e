"""What crosses between the engine and those who ask it for work: plain values, standard library only.

The one part of the engine that `explorer` imports.
"""
