"""What a test may end with besides success."""


class MachineError(Exception):
    """The machine itself failed: it did not start, or was lost."""


class RequestedAssertionFailed(AssertionError):
    """Something that the test asked for is not so."""
