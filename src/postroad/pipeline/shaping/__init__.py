"""How fast mail goes where: limits for each site, and a speed below them that finds itself.

The story: `limits` holds what may be asked of a site at the most, ours and the user's. A `controller` decides what is
asked of it now, from what its servers answer: more while all is well, half when they ask for less, nothing for a while
when they cannot be reached. A `Site` joins both with what is under way, and `Shaping` has all sites: the queue asks it
how much room a site has, the pool whether a message may begin, and every attempt's end is told to it.

Everything here is plain memory on one event loop, with time and chance given; a question is a few look-ups. What must
outlive the process is written down by `keeping`.
"""
