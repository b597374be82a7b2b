from postroad.wire.smtp.transcript import HEAD_LINES, LINE_CHARACTERS, TAIL_LINES, Said, Side, Transcript


def test_what_was_said_is_taken_once():
    transcript = Transcript()
    transcript.add(Side.SERVER, "220 mx")
    assert transcript.take() == (Said(Side.SERVER, "220 mx"),)
    assert transcript.take() == ()


def test_a_long_line_loses_its_end():
    transcript = Transcript()
    transcript.add(Side.SERVER, "a" * (LINE_CHARACTERS + 1))
    ((_, text),) = transcript.take()
    assert len(text) == LINE_CHARACTERS
    assert text.endswith("…")


def test_a_long_conversation_loses_its_middle_and_says_so():
    transcript = Transcript()
    total = HEAD_LINES + TAIL_LINES + 7
    for number in range(total):
        transcript.add(Side.CLIENT, str(number))
    taken = [text for _, text in transcript.take()]
    assert taken[:HEAD_LINES] == [str(number) for number in range(HEAD_LINES)]
    assert taken[HEAD_LINES] == "<7 lines left out>"
    assert taken[HEAD_LINES + 1 :] == [str(number) for number in range(total - TAIL_LINES, total)]
    assert transcript.take() == ()
