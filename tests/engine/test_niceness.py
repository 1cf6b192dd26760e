"""Work steps back once, however many processes start one another."""

from __future__ import annotations

import subprocess
import sys

from engine.contracts.niceness import NICENESS

_PROGRAM = """
import os, subprocess, sys
from engine.contracts.niceness import step_back
step_back()
print(os.nice(0), flush=True)
if len(sys.argv) > 1:
    subprocess.run([sys.executable, "-c", sys.argv[1]], check=True)
"""


def test_a_worker_of_a_process_in_the_background_is_as_low_as_any_other():
    command = [sys.executable, "-c", _PROGRAM, _PROGRAM]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    first, second = map(int, told.split())
    assert first == second >= NICENESS
