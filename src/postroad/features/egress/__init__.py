"""The one way out over HTTP: every request to a URL that somebody gave us goes through here.

A URL that others choose is a way to make this server knock on doors of its own network (server-side request forgery).
So a URL is read strictly (`target`), its name is resolved here, every address it has is held against the list of those
that are nobody's business (`addresses`), and the connection goes to an address that was checked, while the TLS server
name and the Host header stay those of the URL (`network`). Redirects are not followed, the environment's proxy
variables are not read, time and the size of an answer are bounded (`client`). No other module may import an HTTP
client; a test sees to that.
"""

from postroad.features.egress.client import Answer, Egress, Failure, Trouble
from postroad.features.egress.target import BadUrl, Policy, Target, parse_target

__all__ = ["Answer", "BadUrl", "Egress", "Failure", "Policy", "Target", "Trouble", "parse_target"]
