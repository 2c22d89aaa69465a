"""The demo: a district of synthetic people to try everything with."""

from app.models.demo.jobs import DemoJob
from app.services.demo import past
from app.services.kernel.manifest import Capability, JobWork
from app.services.kernel.offers import Without

CAPABILITY = Capability(
    module=__name__,
    jobs={DemoJob.meetings: JobWork(past.fill, None, fills=True)},
    work=Without("nobody works in the demo"),
    figures=Without("its rows are counted where they are"),
    sync=Without("it is loaded on the server"),
    events=Without("it is no news"),
    operations=Without("it is loaded on the server"),
)
