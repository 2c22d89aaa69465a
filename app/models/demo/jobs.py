"""The long work of the demo."""

from app.models.kernel.jobs import Jobs


class DemoJob(Jobs):
    meetings = "demo_meetings"
