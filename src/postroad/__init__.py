"""Postroad, the self-hosted email platform for developers.

The packages lie in the order in which a message meets them: `http` and `smtpd` are the doors, `features` what a
project owns, `pipeline` the road itself (intake, compose, deliver, outcomes), `store` the only SQL, `model` the nouns
and laws, `wire` the Internet standards, and `config` the settings. Only `app` sees them all.
"""

__version__ = "0.1.0"
