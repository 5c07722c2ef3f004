"""From a model's output to the text it stands for. Worker side.

Source: A. Graves, S. Fernández, F. Gomez and J. Schmidhuber, "Connectionist temporal classification", ICML 2006 (best
path decoding: the likeliest symbol of each frame, repeats merged, blanks left out).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from dlpipe_worker import Refused

from .truth import Answers

_BLANKS = ("<blank>", "[blank]", "<blk>", "blank", "<pad>", "[PAD]", "_", "ε")
_SILENT = (*_BLANKS, "<s>", "[CLS]", "<bos>", "<sos>")
_ENDS = ("</s>", "[SEP]", "<eos>", "<|endoftext|>")
_SPACES = ("<space>", "|", "▁", " ")


def texts_of(answers: Answers, tokens: Sequence[str]) -> list[str]:
    """One text per sample. Outputs are texts, token numbers, or scores [frames, tokens] of a CTC net. `tokens`: what
    each number stands for; a net with one more than these has the blank at its end.

    Raises Refused where numbers have no tokens.
    """
    if answers.dtype.kind in "US":
        return ["".join(map(_text, row.reshape(-1).tolist())) for row in answers.whole()]
    if not tokens:
        raise Refused(
            f"{answers.name} holds {answers.dtype} {list(answers.shape)}, and nothing says what text that is",
            hint="--labels FILE names the model's tokens, one a line, in the order of their numbers",
        )
    if answers.dtype.kind == "f":
        blank = _blank(answers, tokens)
        rows = [row.reshape(-1, row.shape[-1]).argmax(axis=-1) for row in answers.numbers()]
        merged = [row[np.concatenate([[True], row[1:] != row[:-1]])] for row in rows]
        return [joined([tokens[number] for number in row.tolist() if number != blank]) for row in merged]
    found = []
    for row in answers.whole():
        numbers = row.reshape(-1).tolist()
        if max(numbers, default=0) >= len(tokens) or min(numbers, default=0) < -len(tokens):
            raise Refused(f"{answers.name} holds the token {max(numbers)}, and there are {len(tokens)}")
        found.append(joined([tokens[number] for number in numbers if number >= 0]))
    return found


def _blank(answers: Answers, tokens: Sequence[str]) -> int:
    count = answers.shape[-1]
    if count == len(tokens) + 1:
        return len(tokens)
    if count != len(tokens):
        raise Refused(f"{answers.name} scores {count} tokens, and {len(tokens)} are named")
    return next((tokens.index(name) for name in _BLANKS if name in tokens), 0)


def joined(tokens: Sequence[str]) -> str:
    """Characters, words, or pieces of words in the manner of SentencePiece and WordPiece."""
    kept: list[str] = []
    for token in tokens:
        if token in _ENDS:
            break
        if token not in _SILENT:
            kept.append(" " if token in _SPACES else token)
    if any(token.startswith("##") for token in kept):
        text = " ".join(kept).replace(" ##", "")
    elif any("▁" in token for token in kept):
        text = "".join(kept).replace("▁", " ")
    else:
        text = ("" if all(len(token) == 1 for token in kept) else " ").join(kept)
    return " ".join(text.split())


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
