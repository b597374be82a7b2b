"""The operator's hands: look into the queue, change it in bulk, and make mail wait.

`operating` lists, counts and changes what waits, by a filter; `suspending` stops sending to a site, of a project or of
a stream for a while. Mail that a worker has in its hands is never touched. Every change is in the audit, and what
changed for a delivery or a project is told by events.
"""

from postroad.features.queue.operating import Changed, Queue
from postroad.features.queue.suspending import NewSuspension, Suspending

__all__ = ["Changed", "NewSuspension", "Queue", "Suspending"]
