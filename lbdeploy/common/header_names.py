"""Names of HTTP headers: whose values are secrets, whose anybody may see, and whose nobody can tell.

What nobody can tell is taken for a secret: every product has its own names for keys.
"""

from __future__ import annotations

import re

# In names of headers, variables and options whose values are secrets; the first ones wherever they stand.
SECRET_NAMES = r"auth|passw|passphrase|passcode|secret|token|(?:api|access)[-_]?key|cookie|credential"  # noqa: S105
SECRET_HEADERS = rf"{SECRET_NAMES}|session|jwt|signature"
# Names whose values say nothing that lets anybody in: of RFC 9110 and the other registered ones that load balancers
# are told to set (IANA, Hypertext Transfer Protocol (HTTP) Field Name Registry), and what is customary with proxies.
HARMLESS_HEADERS = (
    r"(?:accept(?:-[a-z]+)?|access-control-[a-z-]+|age|allow|alt-svc|cache-control|clear-site-data|connection"
    r"|content-(?:disposition|encoding|language|length|location|range|security-policy(?:-report-only)?|type)"
    r"|cross-origin-[a-z-]+|date|dnt|early-data|etag|expect|expect-ct|expires|forwarded|from|front-end-https|host"
    r"|if-[a-z-]+|keep-alive|last-modified|link|location|max-forwards|nel|origin|permissions-policy|pragma|priority"
    r"|proxy-connection|range|referer|referrer-policy|report-to|retry-after|sec-fetch-[a-z]+|server|server-timing"
    r"|strict-transport-security|te|trailer|transfer-encoding|upgrade(?:-insecure-requests)?|user-agent|vary|via|warning"
    r"|x-backend|x-cache(?:-[a-z]+)?|x-client-ip|x-content-type-options|x-correlation-id|x-dns-prefetch-control"
    r"|x-download-options|x-forwarded(?:-(?:by|for|host|method|path|port|prefix|proto|protocol|scheme|server|ssl|uri))?"
    r"|x-frame-options|x-original-(?:host|to|uri|url)|x-permitted-cross-domain-policies|x-powered-by|x-proto"
    r"|x-real-ip|x-request-id|x-robots-tag|x-scheme|x-served-by|x-ua-compatible|x-url-scheme|x-xss-protection)"
)


def is_secret(name: str) -> bool:
    """Whether the value of a header of this name is a secret, however it is made."""
    return re.search(SECRET_HEADERS, name, re.IGNORECASE) is not None


def is_harmless(name: str) -> bool:
    """Whether anybody may see the value of a header of this name."""
    return re.fullmatch(HARMLESS_HEADERS, name, re.IGNORECASE) is not None
