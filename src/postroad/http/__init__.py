"""The HTTP door: the only package that knows the web framework.

A request passes `door` (identifier, limits, security headers, log), then either a handler written for speed (`sending`,
`hits`) or Litestar (`server`), where `auth` tells who calls and `api` holds the resources, one module each. Whatever
goes wrong becomes problem details in `problems`, the only place that knows HTTP statuses of failures. What the doors
need from the rest of the house stands in `services`; the composition root fills it in.
"""
