"""Property tests say what is true, not how fast: on a busy machine a deadline only fails at random."""

from hypothesis import settings

settings.register_profile("postroad", deadline=None)
settings.load_profile("postroad")
