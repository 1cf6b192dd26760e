"""What is being done until a tree is open, in words: with how far it is, and how long it takes."""

from __future__ import annotations

from collections.abc import Iterable

from explorer.views.duration import duration
from explorer.views.job_view import JobView

_DOES = {
    "open": "measuring the network from which the tree grows",
    "data": "looking at the images",
    "weights": "looking for the weights",
    "speed": "measuring how quickly work goes here",
}


def opening_words(model: str, jobs: Iterable[JobView]) -> str:
    """`opening net.pt: measuring the network from which the tree grows: validation, 40%, about
    0:20 left`."""
    job = next((job for job in jobs if job.node == "R"), None)
    if job is None:
        return f"opening {model} …"
    far = [job.phase] if job.phase else []
    if job.share is not None:
        far.append(f"{job.share:.0%}")
    if job.eta_seconds is not None:
        far.append(f"about {duration(job.eta_seconds)} left")
    does = _DOES.get(job.kind, job.kind)
    return f"opening {model}: {does}{': ' + ', '.join(far) if far else ' …'}"
