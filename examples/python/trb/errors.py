"""What goes wrong, with the library's own words."""


class Error(Exception):
    """status: TRB_E*; result: what the call gave nevertheless, or None."""

    def __init__(self, text, status, result=None):
        super().__init__(text)
        self.status = status
        self.result = result

    def __reduce__(self):
        return type(self), (*self.args, self.status, self.result)


class InvalidArgument(Error, ValueError):
    """An argument breaks its contract; nothing was written."""


class OutOfMemory(Error, MemoryError):
    """Memory or a thread could not be had; nothing was written."""


class BadRows(Error, ArithmeticError):
    """Some rows hold no result, as their status says. All others were computed: `result` is what the function would have
    returned."""


class CallbackError(Error):
    """A callback stopped the call in a way that left no exception."""
