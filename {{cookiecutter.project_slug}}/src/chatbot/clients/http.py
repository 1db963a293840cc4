"""An HTTP client as the machine's variables want it: ALL_PROXY, HTTP_PROXY, HTTPS_PROXY, NO_PROXY; SSL_CERT_FILE and
SSL_CERT_DIR for certificates. What cannot be used of them is said in one sentence, without a value.

async with client(timeout=10) as http: …
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chatbot.domain import InvalidConfiguration

if TYPE_CHECKING:
    import httpx2

CERTIFICATES = "SSL_CERT_FILE or SSL_CERT_DIR names certificates that cannot be read"
SOCKS = "ALL_PROXY, HTTP_PROXY or HTTPS_PROXY names a SOCKS proxy: name one that speaks HTTP, or none"
PROXY = "ALL_PROXY, HTTP_PROXY, HTTPS_PROXY or NO_PROXY is no address of a proxy, such as http://proxy.example.org:3128"


def client(**options: Any) -> httpx2.AsyncClient:
    """Opens no connection. InvalidConfiguration when one of the variables cannot be used."""
    import httpx2

    try:
        return httpx2.AsyncClient(**options)
    except OSError:  # those of TLS among them
        raise InvalidConfiguration(f"{CERTIFICATES}.") from None
    except ImportError:
        raise InvalidConfiguration(f"{SOCKS}.") from None
    except (ValueError, httpx2.InvalidURL):
        raise InvalidConfiguration(f"{PROXY}.") from None


def refused_certificate(error: BaseException | None) -> bool:
    """Whether a connection failed because the server's certificate is not trusted."""
    import ssl

    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error is not None
