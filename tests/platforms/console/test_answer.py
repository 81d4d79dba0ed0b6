"""Answers of the console, piece by piece as their bytes come."""

from hypothesis import given
from hypothesis import strategies as st

from gateformer.platforms.console.answer import AnswerReader, Kind, Piece, TextDecoder


def read_answer(chunks):
    """(pieces, with neighbouring text joined; whether the answer is complete)"""
    reader, pieces = AnswerReader(), []
    for chunk in chunks:
        for piece in reader.feed(chunk):
            if pieces and piece.kind is Kind.TEXT is pieces[-1].kind:
                piece = Piece(Kind.TEXT, pieces.pop().text + piece.text)
            pieces.append(piece)
    return pieces, reader.complete


cut_bytes = st.lists(
    st.binary(max_size=6) | st.sampled_from([b"\r", b"\n", b"\x02", b"\x03", b"# "])
)


@given(cut_bytes)
def test_an_answer_does_not_depend_on_how_it_is_cut(chunks):
    assert read_answer(chunks) == read_answer([b"".join(chunks)])


@given(cut_bytes)
def test_no_answer_controls_the_terminal(chunks):
    for piece in read_answer(chunks)[0]:
        assert not {chr(code) for code in [*range(32), *range(127, 160)]} & set(
            piece.text.replace("\n", "").replace("\t", "")
        )


def test_a_text_that_ends_with_the_answer_has_lost_its_end():
    pieces, complete = read_answer([b"\x02to be\x04> "])
    assert complete
    assert pieces == [
        Piece(Kind.TEXT, "to be"),
        Piece(Kind.TEXT_END),
        Piece(Kind.NOTE, "the end of the text was lost; the serial line is noisy"),
    ]


def test_an_answer_in_pieces():
    answer = b"\x02h\xc3\xa9\r\n\x1b[1m\t\r\x03\r\n# a\r\n! b\x9b\r\nc\r\n\x04> more"
    assert read_answer([answer]) == (
        [
            Piece(Kind.TEXT, "hé\n?[1m\t?"),
            Piece(Kind.TEXT_END),
            Piece(Kind.INFORMATION, "a"),
            Piece(Kind.REFUSAL, "b\N{REPLACEMENT CHARACTER}"),
            Piece(Kind.OTHER, "c"),
        ],
        True,
    )


@given(st.text(), st.integers(1, 7))
def test_text_is_decoded_as_it_comes(text, size):
    decoder, content = TextDecoder(), text.encode()
    shown = "".join(decoder.decode(content[i : i + size]) for i in range(0, len(content), size))
    whole = TextDecoder().decode(content, final=True)
    assert shown + decoder.decode(b"", final=True) == whole
    assert len(whole) == len(text.replace("\r\n", "\n"))
