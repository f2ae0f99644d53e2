"""Why a call has no reply."""


class CallError(Exception):
    """A call has no reply. `kind` is the word for it in counts; `proxy` is None if none was met."""

    kind = "error"

    def __init__(self, message: str, proxy: str | None = None) -> None:
        super().__init__(message)
        self.proxy = proxy


class NoProxyAvailable(CallError):
    """No proxy is known, or none could be connected to: nothing was sent."""

    kind = "no-proxy"


class CallFailed(CallError):
    """The connection broke after the request was sent: it may or may not have been carried out."""

    kind = "failed"


class CallTimeout(CallError):
    """No reply in time. The request may or may not have been carried out."""

    kind = "timeout"


class CallRefused(CallError):
    """The reply's status is 400 or higher, and is in `status`."""

    kind = "refused"

    def __init__(self, message: str, proxy: str, status: int) -> None:
        super().__init__(message, proxy)
        self.status = status
        self.kind = f"http-{status}"
