"""What stands between data and engine: whatever the data, a batch becomes rows, and all figures are
functions of rows."""

from engine.tasks.batch import IGNORED, Batch, Inputs
from engine.tasks.images import ImageTask
from engine.tasks.streamed import StreamedTask, image_task
from engine.tasks.task import SPLITS, Split, Task, examples, num_items

__all__ = [
    "IGNORED",
    "SPLITS",
    "Batch",
    "ImageTask",
    "Inputs",
    "Split",
    "StreamedTask",
    "Task",
    "examples",
    "image_task",
    "num_items",
]
