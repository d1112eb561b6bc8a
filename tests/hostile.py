"""Names from elsewhere that would change a page, a picture, a terminal or a table."""

NAMES = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title></style></svg><svg onload=alert(1)>",
    "'); alert(1); ('",
    "&lt;b&gt; --> ]]> <!--",
    "{title} {0} %s %(name)s \\n",
    "$\\frac{$ ^_ $x$",
    "two\nlines\r\nand\u2028more",
    "\x1b[2J\x1b[31m\x1b]0;owned\x07",
    "\x00\x08\x7f\x9b",
    "\u202efdp.exe\u200f\u2066",
    "\udce4\ud800",
    "=cmd|' /C calc'!A0",
    "\t@SUM(1+1)",
    "long " + 10_000 * "x",
]
