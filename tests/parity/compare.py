"""Compares what librag and Hugging Face's tokenizers make of one text, and shrinks a text on which they differ.

Everything that an encoding holds is compared: ids, tokens, offsets in characters, type ids, masks, word and sequence ids, the windows that
truncation cut off, and the decoded text with and without special tokens. Where the package refuses a text, we must refuse it too; where it panics there is nothing to equal."""

import dataclasses
import os
import typing
from collections.abc import Callable

import librag

os.environ["RUST_BACKTRACE"] = "0"  # a panic of the package is one line, not fifty

FIELDS = ("ids", "tokens", "offsets", "type_ids", "attention_mask", "special_tokens_mask", "word_ids", "sequence_ids")
MAX_TRIALS = 2000  # of shrinking one text


class Encoding(typing.Protocol):
    @property
    def ids(self) -> list[int]: ...


class Encoder(typing.Protocol):
    """What both sides' Tokenizer has."""

    def encode(self, text: str, pair: str | None = None, *, add_special_tokens: bool = True) -> Encoding: ...
    def decode(self, ids: list[int], *, skip_special_tokens: bool = True) -> str: ...


@dataclasses.dataclass(frozen=True)
class Refused:
    """Instead of an encoding: the text of the error. Two refusals are equal, whatever their words."""

    reason: str
    panic: bool = False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Refused)

    def __hash__(self) -> int:
        return 0


def attempt(call: Callable[[], typing.Any]) -> typing.Any:
    try:
        return call()
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except Exception as error:
        return Refused(f"{type(error).__name__}: {error}")
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # the package's, which is no Exception
            raise
        return Refused(f"{type(error).__name__}: {error}", panic=True)


def encoding_fields(encoding: typing.Any) -> dict[str, typing.Any]:
    found = {name: list(getattr(encoding, name)) for name in FIELDS}
    found["offsets"] = [tuple(pair) for pair in found["offsets"]]
    found["overflowing"] = [encoding_fields(window) for window in encoding.overflowing]
    return found


def words_difference(
    ours: librag.Tokenizer,
    theirs: typing.Any,
    words: list[str],
    pair: list[str] | None,
    special: bool = True,
    **options: typing.Any,
) -> str | None:
    """As difference(), of encoding texts that are cut into words (is_pretokenized); `options` are for ours alone."""
    mine = attempt(lambda: ours.encode(words, pair, is_pretokenized=True, add_special_tokens=special, **options))
    other = attempt(lambda: theirs.encode(words, pair, is_pretokenized=True, add_special_tokens=special))
    if panicked(other) or (isinstance(mine, Refused) and mine == other):
        return None
    fields = [side if isinstance(side, Refused) else encoding_fields(side) for side in (mine, other)]
    if fields[0] == fields[1]:
        return None
    return f"  words {shorten(words)} pair {shorten(pair)}\n  ours   {shorten(fields[0])}\n  theirs {shorten(fields[1])}"


def outcome(side: Encoder, text: str, pair: str | None, special: bool) -> typing.Any:
    """The fields of the encoding and both decoded texts, or a Refused."""
    encoding = attempt(lambda: side.encode(text, pair, add_special_tokens=special))
    if isinstance(encoding, Refused):
        return encoding
    found = encoding_fields(encoding)
    for skip in (True, False):
        key = "decoded" if skip else "decoded_all"
        found[key] = attempt(lambda skip=skip: side.decode(found["ids"], skip_special_tokens=skip))
    return found


def difference(
    ours: Encoder, theirs: Encoder, text: str, pair: str | None = None, special: bool = True, ignore: tuple[str, ...] = ()
) -> str | None:
    """None if both sides agree, else some lines that show the fields in which they do not."""
    mine = outcome(ours, text, pair, special)
    other = outcome(theirs, text, pair, special)
    if panicked(other):
        return None
    if isinstance(mine, Refused) or isinstance(other, Refused):
        if mine == other:
            return None
        return f"  ours   {shorten(mine)}\n  theirs {shorten(other)}"
    lines = []
    for name in ignore:
        for side in (mine, other):
            leave_out(side, name)
    for name in other:
        if mine[name] != other[name] and not panicked(other[name]):
            lines.append(f"  {name}: ours   {shorten(mine[name])}\n  {name}: theirs {shorten(other[name])}")
    return "\n".join(lines) or None


def leave_out(fields: dict[str, typing.Any], name: str) -> None:
    """Takes a field out of an encoding and of its overflowing windows."""
    fields.pop(name, None)
    for window in fields.get("overflowing", ()):
        leave_out(window, name)


def stream_difference(ours: librag.Tokenizer, ids: list[int], skip_special_tokens: bool = True) -> str | None:
    """Whether decoding id by id gives the text of decoding all at once, with no half character on the way."""
    stream = ours.decode_stream(skip_special_tokens=skip_special_tokens)
    streamed = "".join([*(stream.push(id) for id in ids), stream.finish()])
    whole = ours.decode(ids, skip_special_tokens=skip_special_tokens)
    return None if streamed == whole else f"  ids {shorten(ids)}\n  streamed {shorten(streamed)}\n  decoded  {shorten(whole)}"


def panicked(value: typing.Any) -> bool:
    return isinstance(value, Refused) and value.panic


def shorten(value: typing.Any, limit: int = 600) -> str:
    text = ascii(value)
    return text if len(text) <= limit else f"{text[:limit]} ... ({len(text)} characters)"


def shrink(text: str, differs: Callable[[str], bool]) -> str:
    """A shorter text on which the two still differ: pieces are left out, then characters become `a`, as long as that helps."""
    trials = 0
    size = max(1, len(text) // 2)
    while True:
        start, smaller = 0, False
        while start < len(text) and trials < MAX_TRIALS:
            candidate = text[:start] + text[start + size :]
            trials += 1
            if differs(candidate):
                text, smaller = candidate, True
            else:
                start += size
        if size == 1 and (not smaller or trials >= MAX_TRIALS):
            break
        size = max(1, size // 2)
    for index in range(len(text)):
        candidate = text[:index] + "a" + text[index + 1 :]
        if text[index] != "a" and trials < MAX_TRIALS:
            trials += 1
            text = candidate if differs(candidate) else text
    return text


def report(
    name: str, ours: Encoder, theirs: Encoder, text: str, pair: str | None, special: bool, ignore: tuple[str, ...] = ()
) -> str:
    """What a person needs to mend a difference: the smallest text found and both sides' fields."""
    short = shrink(text, lambda candidate: difference(ours, theirs, candidate, pair, special, ignore) is not None)
    if pair is not None:
        pair = shrink(pair, lambda candidate: difference(ours, theirs, short, candidate, special, ignore) is not None)
    found = difference(ours, theirs, short, pair, special, ignore)
    return f"{name}: text {short!a}, pair {pair!a}, add_special_tokens {special}\n{found}"
