"""Answers that two readers would read in two ways, beside those that differ by a hair and have one reading."""

import base64

import pytest
from door_lane import HOST, Lane, configuration

HEAD = b"HTTP/1.1 200 OK\r\n"
LENGTH = b"Content-Length: 2\r\n"
CHUNKS = b"2\r\nok\r\n0\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"

TWO_READINGS = {
    "folded header": HEAD + b"X-A: b\r\n c\r\n" + LENGTH + b"\r\nok",
    "header folded by a tab": HEAD + b"Content-Type: text/plain\r\n\t; x=y\r\n" + LENGTH + b"\r\nok",
    "folded header of a hint": b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n ; b\r\n\r\n" + HEAD + LENGTH + b"\r\nok",
    "bare line feeds": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "one bare line feed": HEAD + b"X-A: b\n" + LENGTH + b"\r\nok",
    "length and chunks": HEAD + CHUNKED + b"Content-Length: 5\r\n\r\n" + CHUNKS,
    "chunks in HTTP/1.0": b"HTTP/1.0 200 OK\r\n" + CHUNKED + b"\r\n" + CHUNKS,
    "another answer behind": HEAD + LENGTH + b"\r\nok" + HEAD + LENGTH + b"\r\nno",
    "a byte behind the chunks": HEAD + CHUNKED + b"\r\n" + CHUNKS + b"x",
    "204 with a body": b"HTTP/1.1 204 No Content\r\n" + LENGTH + b"\r\nok",
    "304 with a body": b"HTTP/1.1 304 Not Modified\r\n" + LENGTH + b"\r\nok",
    "a part that nobody asked for": b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/9\r\n"
    + LENGTH
    + b"\r\nok",
}

ONE_READING = {
    "plain": HEAD + LENGTH + b"\r\nok",
    "line feeds in the body": HEAD + b"Content-Length: 5\r\n\r\na\nb\n ",
    "one length twice": HEAD + LENGTH + LENGTH + b"\r\nok",
    "HTTP/1.0 with a length": b"HTTP/1.0 200 OK\r\n" + LENGTH + b"\r\nok",
    "chunk extensions": HEAD + CHUNKED + b"\r\n2;a=b\r\nok\r\n0\r\n\r\n",
    "trailers": HEAD + CHUNKED + b"\r\n2\r\nok\r\n0\r\nLocation: x\r\nSet-Cookie: a\r\n\r\n",
    "hints before": b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" + HEAD + LENGTH + b"\r\nok",
    "304 with the length it would have": b"HTTP/1.1 304 Not Modified\r\n" + LENGTH + b"\r\n",
}


@pytest.mark.parametrize("reply", TWO_READINGS.values(), ids=TWO_READINGS)
def test_an_answer_with_two_readings_is_refused(lane: Lane, reply: bytes) -> None:
    lane.upstream.reply = reply
    assert lane.fetch()["denied"]["rule"] == "response.malformed"
    assert [record["kind"] for record in lane.records()] == ["intent", "outcome"]


@pytest.mark.parametrize("reply", ONE_READING.values(), ids=ONE_READING)
def test_an_answer_with_one_reading_arrives(lane: Lane, reply: bytes) -> None:
    lane.upstream.reply = reply
    answer = lane.fetch()
    assert answer["status"] in {200, 304}, answer
    assert "location" not in answer["headers"]


def test_a_body_to_a_head_request_is_refused(lane: Lane) -> None:
    lane.upstream.reply = HEAD + LENGTH + b"\r\n"
    assert lane.fetch(method="HEAD")["status"] == 200
    lane.upstream.reply += b"ok"
    assert lane.fetch(method="HEAD")["denied"]["rule"] == "response.malformed"


def test_a_part_comes_to_who_asks_for_one(lane: Lane) -> None:
    lane.upstream.reply = TWO_READINGS["a part that nobody asked for"]
    assert base64.b64decode(lane.fetch(headers={"range": "bytes=0-1"})["body_b64"]) == b"ok"


def test_a_credential_is_not_had_in_pieces(lane: Lane) -> None:
    """Each piece is too short to be known: where the door adds a credential, no part can be asked for."""
    value = "".join(chr(ord("A") + (7 * n) % 26) + str(n % 10) for n in range(12))
    parts = {"range": "bytes=0-7", "if-range": '"x"', "accept": "text/plain"}
    for credentials in (
        {},
        {HOST: {"secret": lane.secret("c", value), "header": "authorization", "prefix": "Bearer "}},
    ):
        lane.configure(configuration(credentials=credentials))
        lane.upstream.reset()
        lane.upstream.reply = HEAD + b"Content-Length: 2\r\n\r\nok"
        assert lane.fetch(headers=parts)["status"] == 200
        (sent,) = lane.upstream.received
        assert b"accept: text/plain" in sent
        assert (b"range" in sent) == (not credentials)
        lane.upstream.reply = b"HTTP/1.1 206 Partial Content\r\nContent-Length: 8\r\n\r\n" + value[:8].encode()
        answer = lane.fetch(headers=parts)
        assert answer.get("denied", {}).get("rule") == ("response.malformed" if credentials else None)
