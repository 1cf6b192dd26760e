"""What crosses between the engine and whoever asks it for work: plain values.

Standard library only; the one part of the engine that `explorer` imports.
"""
