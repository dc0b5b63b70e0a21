"""The first answers of a source: whether it is worth asking on."""

from dafre_fast.core.errors import SourceError
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Fetched

_MOST_DENIED = 10
"""Answers in a row of a source that gave originals and now wants a login: it expired."""
_GOES_ON = "(--give-up 0 asks on nevertheless)"


class FirstAnswers:
    """Judges a source by its own first answers.

    A source that gave nothing yet and wants a login is not asked on, nor one whose first `give_up`
    answers are refusals for one reason; 0 means that it is asked on whatever it answers. `gave` is
    True if it gave an original in an earlier run.
    """

    def __init__(self, give_up: int, *, gave: bool) -> None:
        self._give_up, self._gave = give_up, gave
        self._refused = self._denied = 0
        self._reason: Reason | None = None
        self._one_kind = True

    def judge(self, fetched: Fetched) -> None:
        """Take the next answer. Raises SourceError if the source should not be asked any more."""
        reason = fetched.reason
        if reason is None:
            self._gave, self._denied = True, 0
            return
        self._denied = self._denied + 1 if reason is Reason.UNAUTHORIZED else 0
        self._one_kind &= self._refused == 0 or reason is self._reason
        self._refused, self._reason = self._refused + 1, reason
        if not self._give_up:
            return
        if self._denied >= (_MOST_DENIED if self._gave else 1):
            raise SourceError(f"{fetched.detail} {_GOES_ON}")
        if self._one_kind and not self._gave and self._refused >= self._give_up:
            raise SourceError(
                f"the first {self._refused:,} answers of the source are all {reason}, the last:"
                f" {fetched.detail}; {reason.advice} {_GOES_ON}"
            )
