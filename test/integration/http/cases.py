"""Requests that two readers could read differently, or that no reader should take.

A case is (name, bytes, answer, why). The bytes are sent to the manager and to
nginx over TLS, followed by one ordinary GET that asks for the connection to be
closed. `answer` is what the manager must say: the statuses in order; "-" is a
connection that ends without one, "|" stands between two that may come. `why` says why the manager takes more than
nginx does; without it, it must not.

{post}: a POST that takes "{}" as its body and answers 201; {host}: the Host line.
"""

GET = b"GET /healthz HTTP/1.1\r\n"
HOST = b"Host: localhost\r\n"
END = b"\r\n"
BODY = b"{}"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
LAST = b"0\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"


def get(*headers, line=GET, host=HOST):
    return line + host + b"".join(header + b"\r\n" for header in headers) + END


def post(*headers, body=BODY, version=b"1.1"):
    return (b"POST /post HTTP/" + version + b"\r\n" + HOST + b"Authorization: Bearer TOKEN\r\n" +
            b"Content-Type: application/json\r\n" + b"".join(header + b"\r\n" for header in headers) + END + body)


def chunks(body, *headers):
    return post(b"Transfer-Encoding: chunked", *headers, body=body)


OK = "200 200"
TOOK = "201 200"
NO = "400"

CASES = [
    # ordinary messages: the same from both
    ("one request", get(), OK, ""),
    ("three requests at once", get() + get() + get(), "200 200 200 200", ""),
    ("a body with its length", post(b"Content-Length: 2"), TOOK, ""),
    ("a length with tabs around it", post(b"Content-Length: \t2 \t"), TOOK, "RFC 9110 allows tabs around a value"),
    ("a chunked body", chunks(b"2\r\n{}\r\n0\r\n\r\n"), TOOK, ""),
    ("a chunked body in two pieces", chunks(b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"), TOOK, ""),
    ("a chunk with an extension", chunks(b"2;name=value\r\n{}\r\n0\r\n\r\n"), TOOK, ""),
    ("a chunk size with zeroes in front", chunks(b"00000002\r\n{}\r\n0\r\n\r\n"), TOOK, ""),
    ("a trailer", chunks(b"2\r\n{}\r\n0\r\nX-Trailer: a\r\n\r\n"), TOOK, ""),
    ("HTTP/1.0", get(line=b"GET /healthz HTTP/1.0\r\n"), "200", ""),
    ("HTTP/1.0 without Host", get(line=b"GET /healthz HTTP/1.0\r\n", host=b""), "200", ""),
    ("Connection: close, then another request", get(b"Connection: close") + get(), "200", ""),
    ("one empty line in front", END + get(), OK, ""),
    ("absolute form", get(line=b"GET https://localhost/healthz HTTP/1.1\r\n"), OK, ""),
    ("a value with bytes above 127", get(b"X-Name: \xc3\xa9\xff"), OK, ""),
    ("an empty value", get(b"X-Empty:"), OK, ""),
    ("an upgrade that nobody offers", get(b"Connection: Upgrade", b"Upgrade: h2c"), OK, ""),

    # Content-Length
    ("the same length twice", post(b"Content-Length: 2", b"Content-Length: 2"), NO, ""),
    ("two lengths", post(b"Content-Length: 2", b"Content-Length: 50"), NO, ""),
    ("a list of lengths", post(b"Content-Length: 2, 2"), NO, ""),
    ("length +2", post(b"Content-Length: +2"), NO, ""),
    ("length -1", post(b"Content-Length: -1"), NO, ""),
    ("length 0x2", post(b"Content-Length: 0x2"), NO, ""),
    ("length 2.0", post(b"Content-Length: 2.0"), NO, ""),
    ("an empty length", post(b"Content-Length:"), NO, ""),
    ("a length over 64 bits", post(b"Content-Length: 18446744073709551618"), "413", ""),
    ("a space before the colon of the length", post(b"Content-Length : 2"), NO, ""),
    ("a length in a folded line", post(b"Content-Length:\r\n 2"), NO, ""),
    ("a GET with a body that looks like a request", get(b"Content-Length: %d" % len(SMUGGLED)) + SMUGGLED, "400 200", ""),

    # Transfer-Encoding
    ("length, then chunked", post(b"Content-Length: 4", b"Transfer-Encoding: chunked", body=b"2\r\n{}\r\n" + LAST), NO, ""),
    ("chunked, then length", post(b"Transfer-Encoding: chunked", b"Content-Length: 4", body=b"2\r\n{}\r\n" + LAST), NO, ""),
    ("chunked with a smuggled request behind", post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=LAST + SMUGGLED), NO, ""),
    ("chunked twice", chunks(b"2\r\n{}\r\n0\r\n\r\n", b"Transfer-Encoding: chunked"), NO, ""),
    ("chunked, chunked", post(b"Transfer-Encoding: chunked, chunked", body=LAST), "501", ""),
    ("identity", post(b"Transfer-Encoding: identity", b"Content-Length: 2"), "501", ""),
    ("gzip, chunked", post(b"Transfer-Encoding: gzip, chunked", body=LAST), "501", ""),
    ("xchunked", post(b"Transfer-Encoding: xchunked", body=LAST), "501", ""),
    ("chunked in quotes", post(b'Transfer-Encoding: "chunked"', body=LAST), "501", ""),
    ("chunked behind a vertical tab", post(b"Transfer-Encoding: \x0bchunked", body=LAST), NO, ""),
    ("chunked in capitals", post(b"TRANSFER-ENCODING: CHUNKED", body=b"2\r\n{}\r\n" + LAST), TOOK, ""),
    ("space before the colon", post(b"Transfer-Encoding : chunked", body=LAST), NO, ""),
    ("NUL in the name", post(b"Transfer-Encoding\0: chunked", body=LAST), NO, ""),
    ("chunked behind a bare line feed", post(b"X: a\nTransfer-Encoding: chunked", body=LAST), NO, ""),
    ("chunked behind a bare carriage return", post(b"X: a\rTransfer-Encoding: chunked", body=LAST), NO, ""),
    ("chunked in a folded line", post(b"Transfer-Encoding:\r\n chunked", body=LAST), NO, ""),
    ("chunked in HTTP/1.0", post(b"Transfer-Encoding: chunked", body=b"2\r\n{}\r\n" + LAST, version=b"1.0"), NO, ""),

    # chunks
    ("chunk size 0x2", chunks(b"0x2\r\n{}\r\n0\r\n\r\n"), NO, ""),
    ("chunk size +2", chunks(b"+2\r\n{}\r\n0\r\n\r\n"), NO, ""),
    ("chunk size with a space in front", chunks(b" 2\r\n{}\r\n0\r\n\r\n"), NO, ""),
    ("chunk size with a space behind", chunks(b"2 \r\n{}\r\n0\r\n\r\n"), NO, ""),
    ("no chunk size", chunks(b"\r\n{}\r\n0\r\n\r\n"), NO, ""),
    ("chunk size over 64 bits", chunks(b"10000000000000002\r\n{}\r\n0\r\n\r\n"), NO, ""),
    ("chunk size of the largest number", chunks(b"ffffffffffffffff\r\n{}\r\n0\r\n\r\n"), "413", ""),
    ("line feeds alone around chunks", chunks(b"2\n{}\n0\n\n"), NO, ""),
    ("a chunk longer than its size", chunks(b"1\r\n{}\r\n0\r\n\r\n"), NO, ""),
    ("a bare line feed in an extension", chunks(b"2;a\nb\r\n{}\r\n0\r\n\r\n"), NO, ""),
    ("an extension of 10,000 bytes", chunks(b"2;" + b"a" * 10000 + b"\r\n{}\r\n0\r\n\r\n"), NO, ""),
    ("a bare line feed in the trailer", chunks(b"2\r\n{}\r\n0\r\nX: a\n\r\n\r\n"), NO, ""),
    ("a trailer of 20,000 bytes", chunks(b"2\r\n{}\r\n0\r\nX: " + b"a" * 20000 + b"\r\n\r\n"), "431", ""),

    # lines
    ("line feeds alone", b"GET /healthz HTTP/1.1\nHost: localhost\n\n", NO, ""),
    ("a bare carriage return in a value", get(b"X: a\rb"), NO, ""),
    ("a folded header", get(b"X: a\r\n b"), NO, ""),
    ("a space before the first header", get(host=b" " + HOST), NO, ""),
    ("a header without a colon", get(b"nonsense"), NO, ""),
    ("an empty header name", get(b": a"), NO, ""),
    ("a space in a header name", get(b"X Y: a"), NO, ""),
    ("a control character in a header name", get(b"X\x01Y: a"), NO, ""),
    ("bytes above 127 in a header name", get(b"X\xffY: a"), NO, ""),
    ("a parenthesis in a header name", get(b"X(: a"), NO, ""),
    ("NUL in a value", get(b"X: a\0b"), NO, ""),
    ("a control character in a value", get(b"X: a\x01b"), NO, ""),
    ("DEL in a value", get(b"X: a\x7fb"), NO, ""),
    ("two empty lines in front", END + END + get(), NO, ""),

    # Host
    ("no Host", get(host=b""), NO, ""),
    ("Host twice", get(b"Host: localhost"), NO, ""),
    ("two Hosts", get(b"Host: other"), NO, ""),
    ("absolute form with another Host", get(line=b"GET https://other/healthz HTTP/1.1\r\n"), OK, ""),

    # the first line
    ("method in small letters", get(line=b"get /healthz HTTP/1.1\r\n"), "405 200", "an unknown method is refused by the resource; the message is well formed"),
    ("a method nobody knows", get(line=b"BREW /healthz HTTP/1.1\r\n"), "405 200", ""),
    ("TRACE", get(line=b"TRACE /healthz HTTP/1.1\r\n"), "405 200", "refused by both; nginx ends the connection besides"),
    ("CONNECT", get(line=b"CONNECT localhost:443 HTTP/1.1\r\n"), NO, ""),
    ("OPTIONS *", get(line=b"OPTIONS * HTTP/1.1\r\n"), NO, ""),
    ("a method of 100 letters", get(line=b"A" * 100 + b" /healthz HTTP/1.1\r\n"), NO, ""),
    ("a method with a parenthesis", get(line=b"GE(T /healthz HTTP/1.1\r\n"), NO, ""),
    ("HTTP/0.9", b"GET /healthz\r\n", NO, ""),
    ("HTTP/1.2", get(line=b"GET /healthz HTTP/1.2\r\n"), OK, ""),
    ("HTTP/2.0", get(line=b"GET /healthz HTTP/2.0\r\n"), "505", ""),
    ("HTTP/2's preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505", ""),
    ("http/1.1 in small letters", get(line=b"GET /healthz http/1.1\r\n"), NO, ""),
    ("HTTP/1.10", get(line=b"GET /healthz HTTP/1.10\r\n"), NO, ""),
    ("two spaces", get(line=b"GET  /healthz HTTP/1.1\r\n"), NO, ""),
    ("a tab for a space", get(line=b"GET\t/healthz HTTP/1.1\r\n"), NO, ""),
    ("a space at the end", get(line=b"GET /healthz HTTP/1.1 \r\n"), NO, ""),
    ("a space in the target", get(line=b"GET /health z HTTP/1.1\r\n"), NO, ""),
    ("a fragment", get(line=b"GET /healthz#a HTTP/1.1\r\n"), NO, ""),
    ("a control character in the target", get(line=b"GET /healthz\x01 HTTP/1.1\r\n"), NO, ""),
    ("bytes above 127 in the target", get(line=b"GET /healthz?\xff HTTP/1.1\r\n"), NO, ""),
    ("%zz in the target", get(line=b"GET /%zz HTTP/1.1\r\n"), NO, ""),
    ("%00 in the target", get(line=b"GET /%00 HTTP/1.1\r\n"), "404 200", "no path of ours holds %00; paths are compared as they came"),
    ("a path that leaves the root", get(line=b"GET /../../etc/passwd HTTP/1.1\r\n"), "404 200", "no file is ever served; paths are compared as they came"),
    ("a target without a slash", get(line=b"GET healthz HTTP/1.1\r\n"), NO, ""),

    # sizes
    ("a target of 20,000 bytes", get(line=b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n"), "414", ""),
    ("a header of 20,000 bytes", get(b"X: " + b"a" * 20000), "431", ""),
    ("60 headers", get(*[b"X-%d: a" % i for i in range(60)]), OK, ""),
    ("100 headers", get(*[b"X-%d: a" % i for i in range(100)]), "431", ""),
    ("1,000 headers", get(*[b"X-%d: a" % i for i in range(1000)]), "431", ""),
    ("a body of 10 MB announced", post(b"Content-Length: 10000000", body=b""), "413", ""),
    ("a body of 10 MB in one chunk", chunks(b"989680\r\n"), "413", ""),

    # Expect
    ("Expect: 100-continue", post(b"Content-Length: 2", b"Expect: 100-continue"), "100 201 200", ""),
    ("an expectation nobody knows", post(b"Content-Length: 2", b"Expect: miracles"), "417", ""),
]

# Sent without the closing GET; then the sending half of the connection is shut.
HALF_CLOSED = [
    ("a request, then the sending half is closed", get(), "200", ""),
    ("half a head, then the sending half is closed", GET + HOST, "-", ""),
    ("half a body, then the sending half is closed", post(b"Content-Length: 20"), "-", ""),
    ("half a chunk, then the sending half is closed", chunks(b"20\r\nabc"), "-", ""),
    ("nothing at all", b"", "-", ""),
]
