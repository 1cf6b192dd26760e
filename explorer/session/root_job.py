"""Jobs about a run's root, which no row of a store stands for yet."""

from __future__ import annotations

import uuid

from engine.contracts.comparing import CompareCriteria
from engine.contracts.jobs import DescribeData, JobRequest, NameWeights, OpenRoot, Places, Result
from engine.contracts.speed import MeasureSpeed
from explorer.executors.base import Executor
from explorer.session.events import Emit, JobAnswered, JobAsked, JobTold


async def run_for_root(
    job: OpenRoot | DescribeData | NameWeights | MeasureSpeed | CompareCriteria,
    places: Places,
    executor: Executor,
    emit: Emit,
    *,
    slots: int | None = None,
) -> Result:
    """The job's result; what it does is told as work on the root. Raises JobFailedError."""
    request = JobRequest(uuid.uuid4().hex, job, f"{job.KIND} R", places, slots=slots)
    emit(JobAsked("R", job.KIND))
    try:
        return await executor.run(request, lambda event: emit(JobTold("R", job.KIND, event)))
    finally:
        emit(JobAnswered("R", job.KIND))
