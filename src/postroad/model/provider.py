"""Mailbox providers: who takes mail for many domains, and the site that a set of mail exchangers makes up.

One provider is one site, however many domains it serves: its limits count for all of them together. A provider is
known by the names of its hosts.
"""

from collections.abc import Iterable
from typing import Final

PROVIDERS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("google", (".google.com", ".googlemail.com", ".smtp.goog")),
    ("yahoo", (".yahoodns.net",)),
    ("outlook", (".olc.protection.outlook.com",)),
    ("microsoft365", (".mail.protection.outlook.com", ".mail.eo.outlook.com", ".mx.microsoft")),
    ("apple", (".icloud.com", ".apple.com")),
    ("comcast", (".comcast.net",)),
    ("orange", (".orange.fr", ".wanadoo.fr")),
    ("laposte", (".laposte.net",)),
    ("free", (".free.fr",)),
    ("gmx", (".gmx.net", ".gmx.com", ".web.de", ".mail.com")),
    ("ionos", (".kundenserver.de", ".ionos.com", ".1and1.com", ".perfora.net")),
    ("tonline", (".t-online.de",)),
    ("mailru", (".mail.ru",)),
    ("yandex", (".yandex.ru", ".yandex.net")),
    ("qq", (".qq.com",)),
    ("netease", (".netease.com", ".163.com", ".126.com")),
    ("naver", (".naver.com",)),
    ("docomo", (".docomo.ne.jp",)),
    ("zoho", (".zoho.com", ".zoho.eu", ".zoho.in", ".zohomail.com")),
    ("proton", (".protonmail.ch", ".proton.me")),
    ("fastmail", (".messagingengine.com",)),
    ("cox", (".cox.net",)),
    ("charter", (".charter.net", ".spectrum.net")),
    ("bt", (".bt.lon5.cpcloud.co.uk", ".btinternet.com")),
    ("cloudfilter", (".cloudfilter.net",)),
    ("cloudflare", (".mx.cloudflare.net",)),
    ("rackspace", (".emailsrvr.com",)),
    ("godaddy", (".secureserver.net",)),
    ("ovh", (".mail.ovh.net",)),
    ("mimecast", (".mimecast.com", ".mimecast.co.za", ".mimecast-offshore.com")),
    ("proofpoint", (".pphosted.com", ".ppe-hosted.com")),
    ("barracuda", (".barracudanetworks.com", ".ess.barracuda.com")),
    ("messagelabs", (".messagelabs.com",)),
    ("cisco", (".iphmx.com",)),
    ("trendmicro", (".trendmicro.com", ".trendmicro.eu")),
    ("sophos", (".sophos.com", ".hydra.sophos.com")),
    ("mailspamprotection", (".mailspamprotection.com",)),
    ("forcepoint", (".mailcontrol.com",)),
)
"""Names of providers, each with how the names of its hosts end; the dot at the front is part of it."""

_LONGEST: Final = 500


def provider_of(host: str) -> str | None:
    """Return the provider that a host belongs to, or None; `host` is in lower case without a final dot."""
    rest = host
    while (dot := rest.find(".")) >= 0:
        name = _BY_SUFFIX.get(rest[dot:])
        if name is not None:
            return name
        rest = rest[dot + 1 :]
    return None


def site_of(hosts: Iterable[str]) -> str:
    """Return the key of the site that these hosts make up: what is counted together.

    Hosts of one provider stand as the provider's name; the rest as themselves. The names are sorted and joined by
    commas.
    """
    names = sorted({provider_of(host) or host for host in hosts})
    return ",".join(names)[:_LONGEST]


_BY_SUFFIX: Final = {suffix: name for name, suffixes in PROVIDERS for suffix in suffixes}
