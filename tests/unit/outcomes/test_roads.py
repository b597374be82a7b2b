"""What comes next, as the road lets it."""

import pytest

from postroad.model.clock import HOUR, Instant, to_rfc3339
from postroad.model.shaping import Flow
from postroad.pipeline.outcomes.roads import Road, delayed
from stores import START

LATER, LATEST, PAST = (to_rfc3339(Instant(START + n * HOUR)) for n in (1, 2, -1))


def road(flow, until=None):
    return Road(site="google", flow=flow, sentence="Why.", connections=None, until=until)


@pytest.mark.parametrize(
    ("ahead", "at", "told"),
    [
        (None, LATER, ("Next.", LATER)),
        (road(Flow.FLOWING), LATER, ("Next.", LATER)),
        (road(Flow.PROBING), None, ("Next. Why.", None)),
        (road(Flow.SUSPENDED), LATER, ("The next attempt waits until mail to google is resumed. Why.", None)),
        (road(Flow.SUSPENDED, LATER), None, (f"The next attempt waits for google until {LATER}. Why.", LATER)),
        (road(Flow.SUSPENDED, LATEST), LATER, (f"The next attempt waits for google until {LATEST}. Why.", LATEST)),
        (road(Flow.SUSPENDED, LATER), LATEST, ("Next.", LATEST)),
        (road(Flow.SUSPENDED, PAST), None, ("Next.", None)),
    ],
)
def test_a_pause_outlasts_an_earlier_attempt(ahead, at, told):
    assert delayed("Next.", at, ahead, START) == told
