"""Sites, for those who operate them: how mail flows to each, why, what has changed, and the limits that are pinned."""

from postroad.features.sites.sites import LimitShown, Sites, SiteShown

__all__ = ["LimitShown", "SiteShown", "Sites"]
