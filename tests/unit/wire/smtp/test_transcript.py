from postroad.wire.smtp.replies import Reply
from postroad.wire.smtp.transcript import HEAD_LINES, LINE_CHARACTERS, TAIL_LINES, Said, Side, Transcript


def test_what_was_said_is_taken_once_with_its_instants():
    transcript = Transcript()
    transcript.received(Reply(220, ("mx", "ready")))
    transcript.at = 5
    transcript.sent("MAIL\r\nDATA")
    assert transcript.take() == (
        Said(0, Side.SERVER, "220-mx"),
        Said(0, Side.SERVER, "220 ready"),
        Said(5, Side.CLIENT, "MAIL"),
        Said(5, Side.CLIENT, "DATA"),
    )
    assert transcript.take() == ()


def test_a_long_line_loses_its_end():
    transcript = Transcript()
    transcript.sent("a" * (LINE_CHARACTERS + 1))
    (said,) = transcript.take()
    assert len(said.text) == LINE_CHARACTERS
    assert said.text.endswith("…")


def test_a_long_conversation_loses_its_middle_and_says_so():
    for total in (HEAD_LINES + TAIL_LINES + 7, 2000):
        transcript = Transcript()
        for number in range(total):
            transcript.sent(str(number))
        taken = [said.text for said in transcript.take()]
        assert taken[:HEAD_LINES] == [str(number) for number in range(HEAD_LINES)]
        assert taken[HEAD_LINES] == f"<{total - HEAD_LINES - TAIL_LINES} lines left out>"
        assert taken[HEAD_LINES + 1 :] == [str(number) for number in range(total - TAIL_LINES, total)]
        assert transcript.take() == ()


def test_a_server_that_talks_on_and_on_is_bounded_too():
    transcript = Transcript()
    for _ in range(5000):
        transcript.received(Reply(250, ("a",)))
    taken = transcript.take()
    assert len(taken) == HEAD_LINES + TAIL_LINES + 1
    assert taken[HEAD_LINES].text == f"<{5000 - HEAD_LINES - TAIL_LINES} lines left out>"
